set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# -iquote and not -I: a folder named rpc would otherwise shadow <rpc/...>.
add_compile_options(
  "SHELL:-iquote ${CMAKE_SOURCE_DIR}"
  -D_GNU_SOURCE
  -fno-strict-aliasing
  -fno-omit-frame-pointer
  -g)

# Our own code, not what protoc-c writes.
add_library(prbal_warnings INTERFACE)
target_compile_options(prbal_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wstrict-prototypes
  -Wmissing-prototypes -Wframe-larger-than=4096
  # Another compiler's new warning must not stop whoever only wants to run it.
  $<$<CONFIG:Debug>:-Werror>
  -Wno-missing-braces -Wno-missing-field-initializers)

if(PRBAL_SANITIZE)
  add_compile_options(-fsanitize=${PRBAL_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PRBAL_SANITIZE})
endif()

if(PRBAL_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_options(-O1)
else()
  # Asserts stay: a broken invariant ends the process instead of spreading.
  string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO
    "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
  add_compile_options(-fstack-protector-strong -fstack-clash-protection
    -fcf-protection -D_FORTIFY_SOURCE=2)
  add_link_options(-pie -Wl,-z,relro,-z,now)
  # What runs for each call is many short functions of many files: as one
  # program an echo takes 7 % fewer instructions.  A link takes ten seconds,
  # which tests, a program for each file, are not worth (the valgrind preset).
  if(NOT PRBAL_VALGRIND)
    include(CheckIPOSupported)
    check_ipo_supported(RESULT PRBAL_IPO LANGUAGES C)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ${PRBAL_IPO})
  endif()
endif()

# A definition, and not whether the header is there: ccache would otherwise give
# what was compiled before it was.
if(PRBAL_VALGRIND)
  add_compile_definitions(PRBAL_VALGRIND)
endif()
