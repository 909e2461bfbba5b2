# SPDX-License-Identifier: Apache-2.0
# The files of a page as C arrays: cmake -DFOLDER=… -DOUT=… -DFILES="a;b" -P embed_page.cmake; with
# -DTABLE=name -DHEADER=name.h -DPREFIX= for another table than the built-in page's.
if(NOT DEFINED TABLE)
  set(TABLE page_files)
  set(HEADER server/page_files.h)
  set(PREFIX /page/)
  set(index_path "/")
else()
  set(index_path "${PREFIX}index.html")
endif()
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")

set(arrays "")
set(rows "")
set(number 0)
list(SORT FILES)
foreach(name IN LISTS FILES)
  file(READ ${FOLDER}/${name} hex HEX)
  file(SHA256 ${FOLDER}/${name} hash)
  string(SUBSTRING ${hash} 0 32 hash)
  string(LENGTH "${hex}" size)
  math(EXPR size "${size} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n    " hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(REGEX MATCH "[a-z]+$" extension ${name})
  set(path "${PREFIX}${name}")
  if(name STREQUAL "index.html")
    set(path "${index_path}")
  endif()
  string(APPEND arrays "static const unsigned char file_${number}[] = {\n    ${hex}};\n\n")
  string(APPEND rows
    "    {\"${path}\", \"${type_${extension}}\", \"\\\"${hash}\\\"\", file_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT}
"// Made by cmake/embed_page.cmake.
#include \"${HEADER}\"

${arrays}const struct page_file ${TABLE}[] = {
${rows}};

const size_t n_${TABLE} = ${number};
")
