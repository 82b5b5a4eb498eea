// SPDX-License-Identifier: MIT
#include <fmt/ranges.h>
#include <simdjson.h>

#include <cmath>
#include <map>

#include "core/error.hpp"
#include "io/inflate.hpp"
#include "io/omol25.hpp"

namespace isotrope::omol25 {

static_assert(Inflater::padding >= simdjson::SIMDJSON_PADDING);

namespace {

using simdjson::ondemand::array;
using simdjson::ondemand::field;
using simdjson::ondemand::json_type;
using simdjson::ondemand::object;
using simdjson::ondemand::value;

constexpr int deepest_list = 3;

/// Numbers of an array with its shape.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<double> values;
  bool present = false;
};

const char* type_name(json_type type) {
  switch (type) {
    case json_type::array:
      return "a list";
    case json_type::object:
      return "an object";
    case json_type::string:
      return "text";
    case json_type::null:
      return "null";
    default:
      return "another value";
  }
}

/// The JSON of Python has NaN and Infinity, which are no JSON.
double number(value item, const char* what) {
  double result;
  if (item.get_double().get(result) == simdjson::SUCCESS) return result;
  const std::string_view token = item.raw_json_token();
  fail("{}: expected a number, found {}", what,
       token.substr(0, std::min<std::size_t>(token.find_first_of(",]} \n"), 20)));
}

int whole(double number, const char* what) {
  require(std::abs(number) < 1e6 && number == std::round(number), "{}: expected a whole number, found {}", what,
          number);
  return static_cast<int>(number);
}

/// Lists in lists, row by row; all of one length a level.
void flatten(array list, std::size_t level, Array& result, const char* what) {
  require(level < deepest_list, "{}: lists nested deeper than {} levels", what, deepest_list);
  std::int64_t length = 0;
  for (value item : list) {
    ++length;
    double number_here;
    json_type type;
    if (item.get_double().get(number_here) == simdjson::SUCCESS)
      result.values.push_back(number_here);
    else if (item.type().get(type) != simdjson::SUCCESS)
      number(item, what);  // NaN: says so
    else if (type == json_type::array)
      flatten(item.get_array(), level + 1, result, what);
    else if (type == json_type::boolean)
      result.values.push_back(item.get_bool() ? 1 : 0);
    else
      number(item, what);
  }
  if (result.shape.size() <= level) result.shape.resize(level + 1, -1);
  std::int64_t& expected = result.shape[level];
  require(expected < 0 || expected == length, "{}: lists of {} and of {} items side by side", what, expected, length);
  expected = length;
}

/// [shape, type, flat list]
void read_ndarray(array parts, Array& result, const char* what) {
  int part = 0;
  Array shape;
  for (value item : parts) {
    if (part == 0) {
      flatten(item.get_array(), 0, shape, what);
    } else if (part == 1) {
      const std::string_view type = item.get_string();
      const bool real =
          type.starts_with("float") || type.starts_with("int") || type.starts_with("uint") || type == "bool";
      require(real, "{}: expected an array of real numbers, found type {}", what, type.substr(0, 20));
    } else if (part == 2) {
      flatten(item.get_array(), 0, result, what);
    }
    ++part;
  }
  require(part == 3 && result.shape.size() == 1, "{}: expected __ndarray__: [shape, type, flat list]", what);
  result.shape.clear();
  for (double extent : shape.values) result.shape.push_back(whole(extent, what));
}

void read_array(value item, Array& result, const char* what) {
  result.values.clear();
  result.shape.clear();
  result.present = true;
  const json_type type = item.type();
  if (type == json_type::array) return flatten(item.get_array(), 0, result, what);
  require(type == json_type::object, "{}: expected an array, found {}", what, type_name(type));
  bool found = false;
  for (field entry : item.get_object()) {
    const std::string_view key = entry.unescaped_key();
    require(key == "__ndarray__" && !found, "{}: expected an object with __ndarray__ only, found '{}'", what,
            key.substr(0, 40));
    found = true;
    read_ndarray(entry.value().get_array(), result, what);
  }
  require(found, "{}: expected an array, found an empty object", what);
}

void check_shape(const Array& array, const std::vector<std::int64_t>& expected, const char* what) {
  std::size_t count = 1;
  for (std::int64_t extent : expected) count *= static_cast<std::size_t>(extent);
  require(array.shape == expected && array.values.size() == count, "{}: expected shape [{}], found [{}] with {} values",
          what, fmt::join(expected, ", "), fmt::join(array.shape, ", "), array.values.size());
}

std::vector<Vec3> vectors(const Array& array, std::size_t atoms, const char* what) {
  check_shape(array, {static_cast<std::int64_t>(atoms), 3}, what);
  std::vector<Vec3> result(atoms);
  for (std::size_t i = 0; i < atoms; ++i)
    result[i] = {array.values[3 * i], array.values[3 * i + 1], array.values[3 * i + 2]};
  return result;
}

Mat3 stress_of(const Array& array) {
  const auto& v = array.values;
  if (array.shape.size() == 1) {
    check_shape(array, {6}, "stress");
    return {Vec3{v[0], v[5], v[4]}, {v[5], v[1], v[3]}, {v[4], v[3], v[2]}};  // Voigt: xx yy zz yz xz xy
  }
  check_shape(array, {3, 3}, "stress");
  return {Vec3{v[0], v[1], v[2]}, {v[3], v[4], v[5]}, {v[6], v[7], v[8]}};
}

}  // namespace

struct RowDecoder::State {
  ReadOptions options;
  std::string charge_key, multiplicity_key;
  simdjson::ondemand::parser parser;
  Array numbers, positions, forces, cell, periodic, stress;
  std::optional<double> energy;
  /// Of `data` and key_value_pairs: numbers and text that labels, --group and --config-type may ask for.
  std::map<std::string, std::string, std::less<>> entries;
  std::optional<double> charge, multiplicity;
  bool constrained = false;
  Counts counts;

  void read_row(object row);
  void read_entries(value item, bool is_data);
  void read_entry(std::string_view key, value item, bool is_data);
  bool is_wanted(std::string_view key) const;
  Structure structure(std::int64_t id);
  void fill_spin(Structure& structure);
};

bool RowDecoder::State::is_wanted(std::string_view key) const {
  const std::string braced = fmt::format("{{{}}}", key);
  return options.group.find(braced) != std::string::npos || options.config_type.find(braced) != std::string::npos;
}

void RowDecoder::State::read_entry(std::string_view key, value item, bool is_data) {
  if (is_data && key == charge_key && !item.is_null()) charge = number(item, "data: charge");
  if (is_data && key == multiplicity_key && !item.is_null()) multiplicity = number(item, "data: multiplicity");
  json_type type;
  if (!is_wanted(key) || item.type().get(type) != simdjson::SUCCESS) return;  // NaN is no name
  if (type == json_type::string) {
    const std::string_view text = item.get_string();
    entries[std::string(key)] = text;
  } else if (type == json_type::number || type == json_type::boolean) {
    std::string_view token = item.raw_json_token();
    entries[std::string(key)] = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
  }
}

void RowDecoder::State::read_entries(value item, bool is_data) {
  const json_type type = item.type();
  if (type == json_type::null) return;
  require(type == json_type::object, "{}: expected an object, found {}", is_data ? "data" : "key_value_pairs",
          type_name(type));
  for (field entry : item.get_object()) {
    const std::string_view key = entry.unescaped_key();
    read_entry(key, entry.value(), is_data);
  }
}

void RowDecoder::State::read_row(object row) {
  for (field entry : row) {
    const std::string_view key = entry.unescaped_key();
    value item = entry.value();
    if (key == "numbers") {
      read_array(item, numbers, "numbers");
    } else if (key == "positions") {
      read_array(item, positions, "positions");
    } else if (key == "forces") {
      read_array(item, forces, "forces");
    } else if (key == "cell") {
      read_array(item, cell, "cell");
    } else if (key == "pbc") {
      read_array(item, periodic, "pbc");
    } else if (key == "stress") {
      read_array(item, stress, "stress");
    } else if (key == "energy") {
      if (!item.is_null()) energy = number(item, "energy");
    } else if (key == "data") {
      read_entries(item, true);
    } else if (key == "key_value_pairs") {
      read_entries(item, false);
    } else if (key == "constraints") {
      constrained = true;
    }
  }
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

Structure RowDecoder::State::structure(std::int64_t id) {
  Structure s;
  require(numbers.present && positions.present, "expected 'numbers' and 'positions'");
  const std::size_t atoms = numbers.values.size();
  check_shape(numbers, {static_cast<std::int64_t>(atoms)}, "numbers");
  for (double z : numbers.values) s.numbers.push_back(whole(z, "numbers"));
  s.positions = vectors(positions, atoms, "positions");
  if (periodic.present) {
    check_shape(periodic, {3}, "pbc");
    for (int d = 0; d < 3; ++d) s.periodic[d] = periodic.values[d] != 0;
  }
  if (cell.present) {
    const std::vector<Vec3> rows = vectors(cell, 3, "cell");
    for (int d = 0; d < 3; ++d) s.cell[d] = s.periodic[d] ? rows[d] : Vec3{};
  }
  s.energy = energy;
  if (forces.present) s.forces = vectors(forces, atoms, "forces");
  if (stress.present) s.stress = stress_of(stress);
  fill_spin(s);
  const auto entry = [&](const std::string& key) -> std::optional<std::string> {
    if (key == "id") return std::to_string(id);
    const auto found = entries.find(key);
    return found == entries.end() ? std::nullopt : std::optional(found->second);
  };
  s.config_type = expand_pattern(options.config_type, entry, "data", "--config-type");
  s.group = expand_pattern(options.group, entry, "data", "--group");
  ++counts.rows;
  counts.energy += energy.has_value();
  counts.forces += forces.present;
  counts.stress += stress.present;
  counts.constraints += constrained;
  return s;
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

Structure RowDecoder::operator()(std::string_view json, std::int64_t id) {
  State& s = *state_;
  for (Array* array : {&s.numbers, &s.positions, &s.forces, &s.cell, &s.periodic, &s.stress}) array->present = false;
  s.energy = s.charge = s.multiplicity = std::nullopt;
  s.entries.clear();
  s.constrained = false;
  try {
    simdjson::ondemand::document document =
        s.parser.iterate(simdjson::padded_string_view(json.data(), json.size(), json.size() + Inflater::padding));
    require(document.type() == json_type::object, "expected a JSON object");
    s.read_row(document.get_object());
    const char* rest = nullptr;
    require(document.current_location().get(rest) != simdjson::SUCCESS, "JSON: something follows the row");
  } catch (const simdjson::simdjson_error& error) {
    fail("JSON: {}", error.what());
  }
  return s.structure(id);
}

}  // namespace isotrope::omol25
