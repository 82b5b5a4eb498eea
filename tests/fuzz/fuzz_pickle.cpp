// SPDX-License-Identifier: MIT
#include "core/error.hpp"
#include "io/pubchemqcr.hpp"

using namespace isotrope;

/// Any bytes as the pickle of a PubChemQCR entry: an Error or steps, nothing else.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static pickle::Document document;
  try {
    const pickle::Value entry = document.parse({reinterpret_cast<const char*>(data), size});
    const pickle::Value stage = pubchemqcr::find_stage(document, entry, "pm3");
    std::size_t budget = size;
    if (stage.is(pickle::Value::Kind::none)) return 0;
    document.for_each(stage, [&](const pickle::Value& step) {
      Structure structure;
      if (budget > 0) pubchemqcr::read_step(document, step, structure);
      budget -= std::min<std::size_t>(budget, structure.numbers.size() + 1);
    });
  } catch (const Error&) {
  }
  return 0;
}
