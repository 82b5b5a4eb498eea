// SPDX-License-Identifier: MIT
#pragma once
#include <string>

#include "models/model_record.hpp"

/// The model file, docs/model-format.md.
namespace isotrope {

inline constexpr int model_format_version = 1;

/// Throws for a file that is missing, truncated, not HDF5, not a model, of a newer format, incomplete, or whose content
/// does not have the hash that it states.
ModelRecord read_model(const std::string& path);

/// Writes to a temporary file and renames it.
void write_model(const std::string& path, const ModelRecord& record);

/// The hash that write_model() stores: 16 hexadecimal digits. A file of another writer (import scripts) may state
/// another one for the same record, because the hyperparameters are hashed as they are spelled: see stated_hash().
std::string content_hash(const ModelRecord& record);

/// The hash that a file states; read_model() checks it.
std::string stated_hash(const std::string& path);

/// Whether an HDF5 file says that it is a model (attribute `format`); throws where it cannot be opened.
bool is_model_file(const std::string& path);

}  // namespace isotrope
