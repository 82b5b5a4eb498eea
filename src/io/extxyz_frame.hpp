// SPDX-License-Identifier: MIT
#pragma once
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "io/reader.hpp"

/// The two halves of the extended xyz reader: the text of a frame, and what its entries mean.
namespace isotrope::extxyz {

/// A group of columns of the atom lines, as `Properties` declares it.
struct Column {
  std::string name;
  char type;  ///< S text, I integer, R real, L logical
  int width;  ///< how many columns
  int first;  ///< of the line
};

struct Frame {
  std::string where;                        ///< "FILE: frame F (line L)"
  std::map<std::string, std::string> info;  ///< entries of the comment line, without quotes
  std::vector<Column> columns;
  int columns_in_line = 0;
  std::vector<std::vector<std::string_view>> atoms;  ///< [atoms][columns] views into `text`
  std::vector<std::string> text;

  const Column* column(const std::string& name) const;  ///< nullptr where absent
  /// An entry that says how the frame is laid out: Lattice, pbc, Properties, in upper or lower case (GPUMD has it so);
  /// nullptr where absent. Throws where it is there in both.
  const std::string* layout(const std::string& name) const;
};

/// KEY=VALUE, KEY="VALUE", KEY='VALUE', KEY={VALUE}, KEY=[VALUE]; a bare KEY has the value "T".
std::map<std::string, std::string> parse_info(std::string_view line, const std::string& where);
std::vector<Column> parse_properties(const std::string& text, const std::string& where);

/// Exponents may have the D of Fortran; NaN and infinity parse. `what` begins the message.
double parse_real(std::string_view text, const std::string& what);
long parse_integer(std::string_view text, const std::string& what);
std::vector<std::string_view> split(std::string_view line);  ///< at blanks

/// Turns frames into structures and counts which entries were used.
class Interpreter {
 public:
  explicit Interpreter(const ReadOptions& options);
  Structure operator()(const Frame& frame);
  std::vector<Finding> report(const std::string& file) const;  ///< see StructureReader::report()

 private:
  /// A label: the option that names its key, its usual keys, and what else looks like it.
  struct Label {
    const char* name;
    const char* option;
    std::optional<std::string> key;
    std::vector<std::string> usual;
    bool (*looks_like)(const std::string& lower_case_key);
    std::map<std::string, long> used{};  ///< key -> frames
  };
  /// The key that holds the label in this frame, "" where there is none. Throws where the choice is not clear.
  std::string choose(Label& label, const std::vector<std::string>& present, const std::string& where);

  void read_atoms(const Frame& frame, Structure& structure) const;
  void read_cell(const Frame& frame, Structure& structure) const;
  void read_labels(const Frame& frame, Structure& structure);
  void read_stress(const Frame& frame, Structure& structure, const std::vector<std::string>& keys);

  ReadOptions options_;
  Label energy_, forces_, stress_, virial_, charge_, multiplicity_;
  long frames_ = 0;
};

}  // namespace isotrope::extxyz
