// SPDX-License-Identifier: MIT
#include "core/atomic_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "core/error.hpp"

namespace isotrope {

namespace fs = std::filesystem;

AtomicFile::AtomicFile(std::string path)
    : path_(std::move(path)), temporary_(fmt::format("{}.tmp{}", path_, getpid())) {
  require(!path_.empty(), "cannot write a file: its name is empty");
  fs::path folder = fs::path(path_).parent_path();
  if (folder.empty()) folder = ".";
  require(fs::is_directory(folder), "cannot write {}: the folder {} does not exist", path_, folder.string());
  require(!fs::is_directory(path_), "cannot write {}: it is a folder", path_);
  require(access(folder.c_str(), W_OK) == 0, "cannot write {}: {}", path_, std::strerror(errno));
}

AtomicFile::~AtomicFile() {
  std::remove(temporary_.c_str());
}

void AtomicFile::commit(bool durable) {
  int synced = 0;
  if (durable) {
    int file = open(temporary_.c_str(), O_RDONLY);
    require(file >= 0, "cannot write {}: {}", path_, std::strerror(errno));
    synced = fsync(file);
    close(file);
  }
  require(synced == 0 && std::rename(temporary_.c_str(), path_.c_str()) == 0, "cannot write {}: {}", path_,
          std::strerror(errno));
}

void make_folder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  require(!error, "cannot make the folder {}: {}", path, error.message());
}

void write_text_file(const std::string& path, const std::string& text) {
  AtomicFile file(path);
  {
    std::ofstream out(file.temporary(), std::ios::binary);
    out << text;
    out.close();
    require(!out.fail(), "cannot write {}: is the disk full?", path);
  }
  file.commit();
}

}  // namespace isotrope
