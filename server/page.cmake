# SPDX-License-Identifier: Apache-2.0
# Makes ${PROJECT_BINARY_DIR}/page_files.c of the built-in page; its path is in page_source.
set(page_names index.html page.css main.js chat.js machine.js server.js words.js icon.svg)
set(page_source ${PROJECT_BINARY_DIR}/page_files.c)
list(TRANSFORM page_names PREPEND ${PROJECT_SOURCE_DIR}/server/page/ OUTPUT_VARIABLE page_paths)
add_custom_command(OUTPUT ${page_source}
  COMMAND ${CMAKE_COMMAND} "-DFOLDER=${PROJECT_SOURCE_DIR}/server/page" "-DFILES=${page_names}"
    -DOUT=${page_source} -P ${PROJECT_SOURCE_DIR}/cmake/embed_page.cmake
  DEPENDS ${page_paths} ${PROJECT_SOURCE_DIR}/cmake/embed_page.cmake VERBATIM)
