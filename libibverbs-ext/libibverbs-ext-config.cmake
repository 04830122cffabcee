# SPDX-License-Identifier: GPL-2.0 OR Linux-OpenIB
#
# find_package(libibverbs-ext) defines libibverbs-ext::shared and libibverbs-ext::static.

include(CMakeFindDependencyMacro)
find_dependency(PkgConfig)
pkg_check_modules(IBVERBS REQUIRED QUIET IMPORTED_TARGET libibverbs)
pkg_check_modules(NL REQUIRED QUIET IMPORTED_TARGET libnl-3.0)
include(${CMAKE_CURRENT_LIST_DIR}/libibverbs-ext-targets.cmake)
