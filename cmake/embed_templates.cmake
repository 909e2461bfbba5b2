# SPDX-License-Identifier: Apache-2.0
# Record templates as C arrays: cmake -DFOLDER=… -DOUT=… -DFILES="a;b" -P embed_templates.cmake
set(arrays "")
set(rows "")
set(number 0)
foreach(name IN LISTS FILES)
  file(READ ${FOLDER}/${name} hex HEX)
  string(LENGTH "${hex}" size)
  math(EXPR size "${size} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n    " hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(APPEND arrays "static const unsigned char file_${number}[] = {\n    ${hex}};\n\n")
  string(APPEND rows "    {\"${name}\", file_${number}, ${size}},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT}
"// Made by cmake/embed_templates.cmake.
#include \"clinic/draft/template_files.h\"

${arrays}const struct template_file template_files[] = {
${rows}};

const size_t n_template_files = ${number};
")
