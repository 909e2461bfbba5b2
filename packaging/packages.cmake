# SPDX-License-Identifier: Apache-2.0
# The service's files and the Debian packages: libxinglin0, libxinglin-dev, xinglin (commands, with
# `serve` among them) and xinglin-server (the service). `make deb` configures with the preset deb.
option(XINGLIN_DEBIAN "Files where Debian wants them: compressed manuals, changelog, unit" OFF)
set(doc ${CMAKE_INSTALL_DATADIR}/doc)
set(here ${CMAKE_CURRENT_SOURCE_DIR})

# The unit names /usr/bin/xinglin; elsewhere it is an example.
set(unit_folder ${doc}/xinglin-server/examples)
if(XINGLIN_DEBIAN)
  set(unit_folder lib/systemd/system)
endif()
if(TARGET xl_server)
  install(FILES ${here}/systemd/xinglin.service DESTINATION ${unit_folder} COMPONENT server)
  install(FILES ${PROJECT_SOURCE_DIR}/docs/SERVER.md DESTINATION ${doc}/xinglin-server
    COMPONENT server OPTIONAL)
  install(FILES ${here}/systemd/keys.conf ${here}/nginx/xinglin.conf ${here}/server.conf
    ${here}/grafana/xinglin.json DESTINATION ${doc}/xinglin-server/examples COMPONENT server)
endif()
if(NOT XINGLIN_DEBIAN)
  return()
endif()
if(NOT TARGET xl_server)
  message(FATAL_ERROR "Debian packages need the server: XINGLIN_SERVER=ON and libmicrohttpd-dev")
endif()

install(FILES ${here}/server.conf DESTINATION /etc/xinglin COMPONENT server)
set(component_library libxinglin0)
set(component_development libxinglin-dev)
set(component_tools xinglin)
set(component_server xinglin-server)
foreach(component library development tools server)
  set(folder ${doc}/${component_${component}})
  install(FILES ${here}/debian/copyright DESTINATION ${folder} COMPONENT ${component})
  install(FILES ${PROJECT_BINARY_DIR}/manual/changelog.gz DESTINATION ${folder}
    COMPONENT ${component})
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME xinglin)
set(CPACK_PACKAGE_VENDOR "Xinglin")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "large language models on CPUs")
set(XINGLIN_MAINTAINER "Xinglin packages <packages@xinglin.example.org>" CACHE STRING
  "Who answers for the packages")
set(CPACK_PACKAGE_CONTACT "${XINGLIN_MAINTAINER}")
set(CPACK_PACKAGE_HOMEPAGE_URL "")
set(CPACK_PACKAGE_DIRECTORY ${PROJECT_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING IGNORE)
set(CPACK_COMPONENTS_ALL library development tools server)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(about "Runs large language models on CPUs: reads GGUF, safetensors and PyTorch files,
quantizes them, and answers the same bytes whatever else is computed beside.
Nothing is ever sent to or fetched from a network.")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "${about}
This package has the shared library.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME libxinglin0)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${here}/debian/shlibs ${here}/debian/triggers)

set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "${about}
This package has the header and the static library.")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libxinglin-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libxinglin0 (= ${PROJECT_VERSION}), libjansson-dev, \
libpcre2-dev, libutf8proc-dev, libzip-dev, libgnutls28-dev")

set(CPACK_COMPONENT_TOOLS_DESCRIPTION "${about}
This package has the commands.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_NAME xinglin)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_TOOLS_PACKAGE_SHLIBDEPS ON)

set(CPACK_COMPONENT_SERVER_DESCRIPTION "${about}
This package has the service and its manuals.")
set(CPACK_DEBIAN_SERVER_PACKAGE_NAME xinglin-server)
set(CPACK_DEBIAN_SERVER_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_SERVER_PACKAGE_SECTION science)
set(CPACK_DEBIAN_SERVER_PACKAGE_DEPENDS "xinglin (>= ${PROJECT_VERSION})")
set(CPACK_DEBIAN_SERVER_PACKAGE_CONTROL_EXTRA ${here}/debian/conffiles)
include(CPack)
