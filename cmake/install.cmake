# SPDX-License-Identifier: Apache-2.0
# The shared library and what `cmake --install` puts where: header, both libraries, pkg-config file
# and CMake package. The commands are installed by tools/.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

add_library(xinglin_shared SHARED ${objects})
set_target_properties(xinglin_shared PROPERTIES
  OUTPUT_NAME xinglin EXPORT_NAME xinglin
  VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/exports.map)
target_include_directories(xinglin_shared INTERFACE $<INSTALL_INTERFACE:include>)
target_link_libraries(xinglin_shared PRIVATE xl_flags ${libraries} Threads::Threads m)
target_link_options(xinglin_shared PRIVATE
  -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map)
if(NOT XINGLIN_SANITIZE) # whose functions come with the program
  target_link_options(xinglin_shared PRIVATE LINKER:-z,defs)
endif()

if(XINGLIN_OLD_GLIBC) # for wheels: see the file
  target_sources(xinglin_shared PRIVATE ${PROJECT_SOURCE_DIR}/cmake/glibc_2_28.c)
  target_link_options(xinglin_shared PRIVATE
    LINKER:--push-state,--no-as-needed -l:libpthread.so.0 LINKER:--pop-state)
endif()

if(SKBUILD) # a Python wheel (pyproject.toml) takes this alone
  install(FILES $<TARGET_FILE:xinglin_shared> DESTINATION xinglin/lib RENAME libxinglin.so
    COMPONENT python)
  return()
endif()

install(FILES ${PROJECT_SOURCE_DIR}/include/xinglin/xinglin.h
  DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/xinglin COMPONENT development)
install(FILES $<TARGET_FILE:xinglin> DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(TARGETS xinglin_shared EXPORT xinglin-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  COMPONENT library NAMELINK_COMPONENT development)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/xinglin)
install(EXPORT xinglin-targets NAMESPACE xinglin:: DESTINATION ${package_dir}
  COMPONENT development)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/xinglin-config.cmake.in
  ${PROJECT_BINARY_DIR}/xinglin-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/xinglin-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/xinglin-config.cmake
  ${PROJECT_BINARY_DIR}/xinglin-config-version.cmake DESTINATION ${package_dir}
  COMPONENT development)

# From the .pc file's folder up to the prefix: Debian's library folder has one more level.
file(RELATIVE_PATH up_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" up_to_prefix "${up_to_prefix}")
configure_file(${PROJECT_SOURCE_DIR}/cmake/xinglin.pc.in ${PROJECT_BINARY_DIR}/xinglin.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/xinglin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development)
