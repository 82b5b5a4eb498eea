// SPDX-License-Identifier: MIT
#include <algorithm>

#include "core/error.hpp"
#include "io/inflate.hpp"
#include "io/omol25.hpp"

using namespace isotrope;

/// Any bytes as the JSON of a row of OMol25: an Error or a structure, nothing else.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static ReadOptions options = [] {
    ReadOptions with_group;
    with_group.group = "{data_id}";
    with_group.charge = 0;
    with_group.multiplicity = 1;
    return with_group;
  }();
  static omol25::RowDecoder decode(options);
  static Structure structure;
  std::string json(reinterpret_cast<const char*>(data), size);
  json.append(Inflater::padding, '\0');
  try {
    decode(std::string_view(json).substr(0, size), 1, structure);
  } catch (const Error&) {
  }
  return 0;
}
