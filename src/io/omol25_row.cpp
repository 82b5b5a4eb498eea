// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>
#include <cmath>
#include <map>

#include "core/error.hpp"
#include "io/inflate.hpp"
#include "io/json_scanner.hpp"
#include "io/omol25.hpp"

namespace isotrope::omol25 {

static_assert(Inflater::padding >= JsonScanner::padding);

namespace {

using Kind = JsonScanner::Kind;

constexpr int deepest_list = 3;

/// Numbers of an array with its shape.
struct Array {
  std::string_view name;
  std::vector<std::int64_t> shape{};
  std::vector<double> values{};
  bool present = false;
};

const char* kind_name(Kind kind) {
  switch (kind) {
    case Kind::array:
      return "a list";
    case Kind::object:
      return "an object";
    case Kind::text:
      return "text";
    case Kind::null:
      return "null";
    default:
      return "another value";
  }
}

/// The JSON of Python has NaN and Infinity, which are no JSON.
double number(JsonScanner& json, std::string_view what) {
  double value;
  json.kind();  // passes over blanks
  if (!json.number(value)) fail("{}: expected a number, found {}", what, json.token().substr(0, 20));
  return value;
}

std::optional<double> number_or_null(JsonScanner& json, std::string_view what) {
  if (json.kind() != Kind::null) return number(json, what);
  json.null();
  return std::nullopt;
}

int whole(double number, std::string_view what) {
  require(std::abs(number) < 1e6 && number == std::round(number), "{}: expected a whole number, found {}", what,
          number);
  return static_cast<int>(number);
}

/// Lists in lists, row by row; all of one length a level.
void flatten(JsonScanner& json, std::size_t level, Array& result) {
  require(level < deepest_list, "{}: lists nested deeper than {} levels", result.name, deepest_list);
  std::int64_t length = 0;
  json.open_array();
  for (bool first = true; json.next_item(first); ++length) {
    double value;
    if (json.number(value)) {
      result.values.push_back(value);
      continue;
    }
    const Kind kind = json.kind();
    if (kind == Kind::array)
      flatten(json, level + 1, result);
    else
      result.values.push_back(kind == Kind::truth ? json.truth() : number(json, result.name));
  }
  if (result.shape.size() <= level) result.shape.resize(level + 1, -1);
  std::int64_t& expected = result.shape[level];
  require(expected < 0 || expected == length, "{}: lists of {} and of {} items side by side", result.name, expected,
          length);
  expected = length;
}

void read_list(JsonScanner& json, Array& result) {
  require(json.kind() == Kind::array, "{}: expected an array, found {}", result.name, kind_name(json.kind()));
  flatten(json, 0, result);
}

constexpr const char* not_ndarray = "{}: expected __ndarray__: [shape, type, flat list]";

/// [shape, type, flat list]
void read_ndarray(JsonScanner& json, Array& result) {
  int part = 0;
  Array shape{result.name};
  json.open_array();
  for (bool first = true; json.next_item(first); ++part) {
    if (part == 0) {
      read_list(json, shape);
    } else if (part == 1) {
      const std::string_view type = json.text();
      const bool real =
          type.starts_with("float") || type.starts_with("int") || type.starts_with("uint") || type == "bool";
      require(real, "{}: expected an array of real numbers, found type {}", result.name, type.substr(0, 20));
    } else if (part == 2) {
      read_list(json, result);
    } else {
      json.skip();
    }
  }
  require(part == 3 && result.shape.size() == 1, not_ndarray, result.name);
  result.shape.clear();
  for (double extent : shape.values) result.shape.push_back(whole(extent, result.name));
}

void read_array(JsonScanner& json, Array& result) {
  result.values.clear();
  result.shape.clear();
  result.present = true;
  if (json.kind() != Kind::object) return read_list(json, result);
  bool found = false;
  json.open_object();
  std::string_view key;
  for (bool first = true; json.next_key(first, key);) {
    require(key == "__ndarray__" && !found, "{}: expected an object with __ndarray__ only, found '{}'", result.name,
            key.substr(0, 40));
    found = true;
    require(json.kind() == Kind::array, not_ndarray, result.name);
    read_ndarray(json, result);
  }
  require(found, "{}: expected an array, found an empty object", result.name);
}

void check_shape(const Array& array, const std::vector<std::int64_t>& expected) {
  std::size_t count = 1;
  for (std::int64_t extent : expected) count *= static_cast<std::size_t>(extent);
  require(array.shape == expected && array.values.size() == count, "{}: expected shape [{}], found [{}] with {} values",
          array.name, fmt::join(expected, ", "), fmt::join(array.shape, ", "), array.values.size());
}

void take_vectors(const Array& array, std::size_t atoms, std::vector<Vec3>& result) {
  check_shape(array, {static_cast<std::int64_t>(atoms), 3});
  result.resize(atoms);
  for (std::size_t i = 0; i < atoms; ++i)
    result[i] = {array.values[3 * i], array.values[3 * i + 1], array.values[3 * i + 2]};
}

Mat3 stress_of(const Array& array) {
  const auto& v = array.values;
  if (array.shape.size() == 1) {
    check_shape(array, {6});
    return {Vec3{v[0], v[5], v[4]}, {v[5], v[1], v[3]}, {v[4], v[3], v[2]}};  // Voigt: xx yy zz yz xz xy
  }
  check_shape(array, {3, 3});
  return {Vec3{v[0], v[1], v[2]}, {v[3], v[4], v[5]}, {v[6], v[7], v[8]}};
}

}  // namespace

struct RowDecoder::State {
  ReadOptions options;
  std::string charge_key, multiplicity_key;
  Array numbers{"numbers"}, positions{"positions"}, forces{"forces"}, cell{"cell"}, periodic{"pbc"}, stress{"stress"};
  std::optional<double> energy;
  /// Of `data` and key_value_pairs: numbers and text that --group and --config-type ask for.
  std::map<std::string, std::string, std::less<>> entries;
  std::optional<double> charge, multiplicity;
  bool constrained = false;
  std::vector<Vec3> cell_rows;
  Counts counts;

  void clear();
  void read_row(JsonScanner& json);
  void read_member(JsonScanner& json, std::string_view key);
  void read_entries(JsonScanner& json, bool is_data);
  void read_entry(JsonScanner& json, std::string_view key, bool is_data);
  bool is_wanted(std::string_view key) const;
  void fill(Structure& structure, std::int64_t id);
  void fill_spin(Structure& structure);
};

void RowDecoder::State::clear() {
  for (Array* array : {&numbers, &positions, &forces, &cell, &periodic, &stress}) array->present = false;
  energy = charge = multiplicity = std::nullopt;
  entries.clear();
  constrained = false;
}

bool RowDecoder::State::is_wanted(std::string_view key) const {
  const auto names = [&](const std::string& pattern) {
    for (std::size_t at = pattern.find('{'); at != pattern.npos; at = pattern.find('{', at + 1))
      if (pattern.compare(at + 1, key.size(), key) == 0 && pattern[at + 1 + key.size()] == '}') return true;
    return false;
  };
  return names(options.group) || names(options.config_type);
}

void RowDecoder::State::read_entry(JsonScanner& json, std::string_view key, bool is_data) {
  const bool is_charge = is_data && key == charge_key, is_multiplicity = is_data && key == multiplicity_key;
  const bool wanted = is_wanted(key);
  const std::string name(wanted ? key : "");
  const Kind kind = json.kind();
  if (wanted && (kind == Kind::number || kind == Kind::truth)) entries[name] = json.token();
  if (is_charge || is_multiplicity) {
    const std::optional<double> value = number_or_null(json, is_charge ? "data: charge" : "data: multiplicity");
    if (is_charge) charge = value;
    if (is_multiplicity) multiplicity = value;
  } else if (wanted && kind == Kind::text) {
    entries[name] = json.text();
  } else {
    json.skip();
  }
}

void RowDecoder::State::read_entries(JsonScanner& json, bool is_data) {
  const Kind kind = json.kind();
  if (kind == Kind::null) return json.null();
  require(kind == Kind::object, "{}: expected an object, found {}", is_data ? "data" : "key_value_pairs",
          kind_name(kind));
  json.open_object();
  std::string_view key;
  for (bool first = true; json.next_key(first, key);) read_entry(json, key, is_data);
}

void RowDecoder::State::read_member(JsonScanner& json, std::string_view key) {
  for (Array* array : {&numbers, &positions, &forces, &cell, &periodic, &stress})
    if (key == array->name) return read_array(json, *array);
  if (key == "energy") {
    energy = number_or_null(json, "energy");
  } else if (key == "data" || key == "key_value_pairs") {
    read_entries(json, key == "data");
  } else {
    constrained = constrained || key == "constraints";
    json.skip();
  }
}

void RowDecoder::State::read_row(JsonScanner& json) {
  require(json.kind() == Kind::object, "expected a JSON object");
  json.open_object();
  std::string_view key;
  for (bool first = true; json.next_key(first, key);) read_member(json, key);
  json.end();
}

void RowDecoder::State::fill_spin(Structure& s) {
  if (charge) {
    s.charge = whole(*charge, "data: charge");
    ++counts.charge;
  } else {
    require(options.charge.has_value(),
            "no total charge ('{}' in data): say --charge for rows without one, or --charge-key", charge_key);
    s.charge = options.charge;
    ++counts.charge_filled;
  }
  if (multiplicity) {
    s.multiplicity = whole(*multiplicity, "data: multiplicity");
    ++counts.multiplicity;
  } else {
    require(options.multiplicity.has_value(),
            "no multiplicity ('{}' in data): say --multiplicity for rows without one, or --multiplicity-key",
            multiplicity_key);
    s.multiplicity = options.multiplicity;
    ++counts.multiplicity_filled;
  }
}

void RowDecoder::State::fill(Structure& s, std::int64_t id) {
  require(numbers.present && positions.present, "expected 'numbers' and 'positions'");
  const std::size_t atoms = numbers.values.size();
  check_shape(numbers, {static_cast<std::int64_t>(atoms)});
  s.numbers.resize(atoms);
  for (std::size_t i = 0; i < atoms; ++i) s.numbers[i] = whole(numbers.values[i], "numbers");
  take_vectors(positions, atoms, s.positions);
  s.periodic = {};
  if (periodic.present) {
    check_shape(periodic, {3});
    for (int d = 0; d < 3; ++d) s.periodic[d] = periodic.values[d] != 0;
  }
  s.cell = {};
  if (cell.present) {
    take_vectors(cell, 3, cell_rows);
    for (int d = 0; d < 3; ++d) s.cell[d] = s.periodic[d] ? cell_rows[d] : Vec3{};
  }
  s.energy = energy;
  s.forces.clear();
  if (forces.present) take_vectors(forces, atoms, s.forces);
  s.stress = stress.present ? std::optional(stress_of(stress)) : std::nullopt;
  fill_spin(s);
  const auto entry = [&](const std::string& key) -> std::optional<std::string> {
    if (key == "id") return std::to_string(id);
    const auto found = entries.find(key);
    return found == entries.end() ? std::nullopt : std::optional(found->second);
  };
  s.config_type = expand_pattern(options.config_type, entry, "data", "--config-type");
  s.group = expand_pattern(options.group, entry, "data", "--group");
  s.step = std::nullopt;
  s.split.clear();
  s.weight = 1;
  ++counts.rows;
  counts.energy += energy.has_value();
  counts.forces += forces.present;
  counts.stress += stress.present;
  counts.constraints += constrained;
}

RowDecoder::RowDecoder(const ReadOptions& options) : state_(std::make_unique<State>()) {
  state_->options = options;
  state_->charge_key = options.charge_key.value_or("charge");
  state_->multiplicity_key = options.multiplicity_key.value_or("spin");
}

RowDecoder::~RowDecoder() = default;

const Counts& RowDecoder::counts() const {
  return state_->counts;
}

void RowDecoder::operator()(std::string_view text, std::int64_t id, Structure& structure) {
  state_->clear();
  JsonScanner json(text);
  state_->read_row(json);
  state_->fill(structure, id);
}

}  // namespace isotrope::omol25
