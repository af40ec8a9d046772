# cmake -D FROM=words.txt -D TO=words.c -D NAME=words -P WordList.cmake
# A sorted text file, one word a line, as a C array for bsearch().
file(STRINGS ${FROM} words ENCODING UTF-8)
list(LENGTH words count)
list(JOIN words "\",\n    \"" rows)
file(WRITE ${TO} "#include <stddef.h>
extern const char *const ${NAME}[];
extern const size_t ${NAME}_count;
const char *const ${NAME}[] = {
    \"${rows}\",
};
const size_t ${NAME}_count = ${count};
")
