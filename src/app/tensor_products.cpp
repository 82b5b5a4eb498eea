// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "app/commands.hpp"
#include "app/json_output.hpp"
#include "app/kokkos_scope.hpp"
#include "core/error.hpp"
#include "core/nearest.hpp"
#include "core/random.hpp"
#include "evaluate/product_family.hpp"
#include "evaluate/timing.hpp"

namespace isotrope::app {
namespace {

struct SettingName {
  const char* name;
  ProductSetting setting;
};
constexpr SettingName settings[] = {
    {"siso", ProductSetting::siso}, {"simo", ProductSetting::simo}, {"mimo", ProductSetting::mimo}};

struct ProductOptions {
  JsonOutput json;
  std::vector<std::string> products, settings = {"siso", "simo", "mimo"};
  int l_min = 1, l_max = 8;
  long batch = 10000;
  int repeats = 10;
};

ProductSetting setting_of(const std::string& name) {
  for (const SettingName& s : settings) {
    if (name == s.name) return s.setting;
  }
  fail("--setting: expected siso, simo or mimo, found '{}'", name);
}

std::vector<const FamilyMember*> members_of(const std::vector<std::string>& names) {
  std::vector<const FamilyMember*> members;
  std::vector<std::string> known;
  for (const FamilyMember& m : product_family()) {
    known.emplace_back(m.name);
    if (names.empty()) members.push_back(&m);
  }
  for (const std::string& name : names) {
    const auto found = std::find_if(product_family().begin(), product_family().end(),
                                    [&](const FamilyMember& m) { return name == m.name; });
    require(found != product_family().end(), "--product: there is no '{}'; did you mean '{}'?", name,
            nearest(name, known));
    members.push_back(&*found);
  }
  return members;
}

/// Single precision, [batch][component], one thread.
Timing time_product(const TensorProduct& product, long batch, int repeats) {
  SplitMix random(1);
  std::vector<float> x(batch * components(product.first())), y(batch * components(product.second()));
  for (std::vector<float>* v : {&x, &y}) {
    for (float& value : *v) value = static_cast<float>(random.normal());
  }
  std::vector<float> z(batch * components(product.out()));
  ProductInput<Plain<float>> in;
  in.items = batch;
  in.channels = 1;
  in.x = x.data();
  in.y = y.data();
  return time_repeats(repeats, [&] { product.forward(in, z.data()); });
}

nlohmann::json measure(const FamilyMember& member, const std::string& setting, int L, const ProductOptions& options) {
  const auto product = member.make(setting_of(setting), L);
  if (!product) return nullptr;
  const Timing time = time_product(*product, options.batch, options.repeats);
  const Expressivity e = expressivity(*product);
  const long numbers = components(product->first()) + components(product->second()) + components(product->out());
  return {{"product", member.name},
          {"setting", setting},
          {"L", L},
          {"first", product->first().text()},
          {"second", product->second().text()},
          {"out", product->out().text()},
          {"outputs", components(product->out())},
          {"milliseconds", 1e3 * time.best},
          {"median_milliseconds", 1e3 * time.median},
          {"multiplications", product->multiplications()},
          {"flops", 2 * product->multiplications() * options.batch},
          {"table_bytes", 4 * product->table_size()},
          {"batch_bytes", 4 * numbers * options.batch},
          {"weights", product->weights()},
          {"paths", e.paths},
          {"interactable", e.interactable},
          {"expressivity", e.dimension},
          {"span", e.span},
          {"rotation_error", rotation_error<float>(*product, 5)},
          {"rotation_error_double", rotation_error<double>(*product, 5)}};
}

void print_header() {
  fmt::print("{:<20} {:<5}{:>2}{:>8}{:>12}{:>9}{:>13}{:>10}{:>8}{:>8}{:>8}{:>9}\n", "product", "", "L", "outputs",
             "multiplic.", "MFLOP", "table, bytes", "ms", "paths", "reached", "express", "rotation");
}
void print_row(const nlohmann::json& j) {
  const auto number = [&](const char* key) { return j.at(key).get<long>(); };
  fmt::print("{:<20} {:<5}{:>2}{:>8}{:>12}{:>9.0f}{:>13}{:>10.3f}{:>8}{:>8}{:>8}{:>9.1e}\n",
             j.at("product").get<std::string>(), j.at("setting").get<std::string>(), number("L"), number("outputs"),
             number("multiplications"), 1e-6 * j.at("flops").get<double>(), number("table_bytes"),
             j.at("milliseconds").get<double>(), number("paths"), number("interactable"), number("expressivity"),
             j.at("rotation_error").get<double>());
}

int run(const ProductOptions& options) {
  require(options.l_min >= 1 && options.l_max <= 8 && options.l_min <= options.l_max,
          "--l-min and --l-max: expected 1 <= l_min <= l_max <= 8, found {} and {}", options.l_min, options.l_max);
  require(options.batch > 0, "--batch: expected 1 or more, found {}", options.batch);
  require(options.repeats > 0, "--repeats: expected 1 or more, found {}", options.repeats);
  const std::vector<const FamilyMember*> members = members_of(options.products);
  for (const std::string& setting : options.settings) setting_of(setting);
  KokkosScope kokkos;
  const bool table = !options.json.to_standard_output();
  nlohmann::json json = {{"batch", options.batch},
                         {"precision", "single"},
                         {"threads", Space().concurrency()},
                         {"repeats", options.repeats},
                         {"rows", nlohmann::json::array()}};
  if (table) print_header();
  for (const std::string& setting : options.settings) {
    for (const FamilyMember* member : members) {
      for (int L = options.l_min; L <= std::min(options.l_max, member->largest_l); ++L) {
        const nlohmann::json row = measure(*member, setting, L, options);
        if (row.is_null()) continue;
        json["rows"].push_back(row);
        if (table) print_row(row);
      }
    }
  }
  if (options.json.wanted()) options.json.write(json);
  return 0;
}

std::string list_of_products() {
  std::string text = "Products:\n";
  for (const FamilyMember& m : product_family()) text += fmt::format("  {:<21}{}\n", m.name, m.help);
  return text + "docs/tensor-products.md says what they are and what the columns mean.";
}

}  // namespace

Action setup_tensor_products(CLI::App& app) {
  auto o = std::make_shared<ProductOptions>();
  o->json.add_to(app);
  app.add_option("--product", o->products, "Names, comma-separated (default: all)")->delimiter(',');
  app.add_option("--setting", o->settings,
                 "siso (one l each into one l), simo (into all l <= L), mimo (all l <= L into all)")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--l-min", o->l_min, "Smallest L")->capture_default_str();
  app.add_option("--l-max", o->l_max, "Largest L, at most 8")->capture_default_str();
  app.add_option("--batch", o->batch, "Products that are timed at once")->capture_default_str();
  app.add_option("--repeats", o->repeats, "Timed repeats, after a warm-up")->capture_default_str();
  app.footer(list_of_products());
  return [o] { return run(*o); };
}

}  // namespace isotrope::app
