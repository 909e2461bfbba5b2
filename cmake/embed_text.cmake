# SPDX-License-Identifier: Apache-2.0
# One file as a C array: cmake -DFILE=… -DNAME=… -DHEADER=… -DOUT=… -P embed_text.cmake
# HEADER declares: const unsigned char NAME[]; const size_t NAME_bytes.
file(READ ${FILE} hex HEX)
string(LENGTH "${hex}" size)
math(EXPR size "${size} / 2")
string(REGEX REPLACE "(................................)" "\\1\n    " hex "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
file(WRITE ${OUT}
"// Made by cmake/embed_text.cmake.
#include \"${HEADER}\"

const unsigned char ${NAME}[] = {
    ${hex}};
const size_t ${NAME}_bytes = ${size};
")
