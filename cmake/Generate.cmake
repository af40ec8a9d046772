# From .proto and .sql to C, in build/*/gen; nothing generated is committed and
# no list of files is kept anywhere.  rpc/gen/README.md draws the way.
set(GEN ${CMAKE_BINARY_DIR}/gen)
set(BOOTSTRAP ${GEN}/bootstrap)
file(MAKE_DIRECTORY ${GEN} ${BOOTSTRAP})
find_program(PROTOC protoc REQUIRED)

# What protoc-c writes needs no warnings of ours, and the tools, which run once
# a build, no sanitizers.
set(tool_flags -Wno-missing-braces)
if(PRBAL_SANITIZE)
  list(APPEND tool_flags -fno-sanitize=all)
endif()

# protoc imports descriptor.proto and plugin.proto from its own installation.
find_path(PROTOBUF_PROTOS google/protobuf/compiler/plugin.proto REQUIRED)

# 1. Structs of descriptor.proto and plugin.proto: build-time input only.
foreach(name descriptor compiler/plugin)
  list(APPEND bootstrap_c ${BOOTSTRAP}/google/protobuf/${name}.pb-c.c)
  list(APPEND bootstrap_h ${BOOTSTRAP}/google/protobuf/${name}.pb-c.h)
  list(APPEND bootstrap_proto google/protobuf/${name}.proto)
endforeach()
add_custom_command(
  OUTPUT ${bootstrap_c} ${bootstrap_h}
  COMMAND ${PROTOC} -I ${PROTOBUF_PROTOS} --c_out=${BOOTSTRAP} ${bootstrap_proto}
  COMMENT "protoc-c descriptor.proto, plugin.proto")
add_library(prbal_bootstrap STATIC ${bootstrap_c} rpc/gen/read_all.c)
target_include_directories(prbal_bootstrap SYSTEM PUBLIC ${BOOTSTRAP})
target_link_libraries(prbal_bootstrap PUBLIC PkgConfig::protobufc)
target_compile_options(prbal_bootstrap PUBLIC ${tool_flags})

# 2. One descriptor set of everything, with comments, and the copy of it that
# protoc-c can read.
set(wellknown any duration empty field_mask struct timestamp wrappers)
list(TRANSFORM wellknown PREPEND google/protobuf/)
file(GLOB_RECURSE public_protos RELATIVE ${CMAKE_SOURCE_DIR}/proto CONFIGURE_DEPENDS proto/*.proto)
file(GLOB row_protos RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS services/*/*_row.proto)
file(GLOB test_protos RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS
  tests/rpc/*.proto tests/db/*.proto tests/protovalidate/*.proto
  tests/bench/peers/*.proto)
set(all_protos ${public_protos} ${row_protos} ${test_protos})
list(TRANSFORM public_protos PREPEND ${CMAKE_SOURCE_DIR}/proto/ OUTPUT_VARIABLE proto_files)
foreach(proto ${row_protos} ${test_protos})
  list(APPEND proto_files ${CMAKE_SOURCE_DIR}/${proto})
endforeach()
set(proto_path -I ${CMAKE_SOURCE_DIR}/proto -I ${CMAKE_SOURCE_DIR} -I ${PROTOBUF_PROTOS})
list(TRANSFORM wellknown APPEND .proto OUTPUT_VARIABLE wellknown_protos)

add_custom_command(
  OUTPUT ${GEN}/all.fds
  COMMAND ${PROTOC} ${proto_path} --include_imports --include_source_info
          --descriptor_set_out=${GEN}/all.fds ${proto_files} ${wellknown_protos}
  DEPENDS ${proto_files}
  COMMENT "protoc all.fds")
add_executable(descriptors_for_c rpc/gen/descriptors_for_c.c)
target_link_libraries(descriptors_for_c PRIVATE prbal_warnings prbal_bootstrap)
target_link_options(descriptors_for_c PRIVATE ${tool_flags})
add_custom_command(
  OUTPUT ${GEN}/c.fds
  COMMAND descriptors_for_c ${GEN}/all.fds > ${GEN}/c.fds
  DEPENDS ${GEN}/all.fds descriptors_for_c
  COMMENT "c.fds")

# 3. Structs by protoc-c; only what has changed is replaced, so that an edit of
# one .proto rebuilds what includes it and no more.
foreach(proto ${all_protos} ${wellknown_protos})
  string(REGEX REPLACE "\\.proto$" "" stem ${proto})
  list(APPEND pb_c ${stem}.pb-c.c)
  list(APPEND pb_h ${stem}.pb-c.h)
  list(APPEND rpc_c ${stem}.rpc.c)
  list(APPEND rpc_h ${stem}.rpc.h ${stem}.client.h)
endforeach()
foreach(registry prbal/v1/registry grpc/registry tests/rpc/registry
    tests/rpc/interop_registry tests/rpc/conformance_registry
    tests/bench/registry)
  list(APPEND rpc_c ${registry}.rpc.c)
  list(APPEND rpc_h ${registry}.rpc.h)
endforeach()
list(REMOVE_DUPLICATES rpc_c)

function(generate_by_protoc flag descriptors)
  cmake_parse_arguments(ARG "" "COMMENT" "OUTPUT;DEPENDS;OPTIONS" ${ARGN})
  set(fresh ${GEN}/fresh/${flag})
  list(TRANSFORM ARG_OUTPUT PREPEND ${GEN}/ OUTPUT_VARIABLE outputs)
  string(REPLACE ";" "\n" names "${ARG_OUTPUT}")
  file(CONFIGURE OUTPUT ${GEN}/fresh/${flag}.txt CONTENT "${names}\n")
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${fresh}
    COMMAND ${PROTOC} --descriptor_set_in=${descriptors} ${ARG_OPTIONS}
            --${flag}=${fresh} ${all_protos} ${wellknown_protos}
    COMMAND ${CMAKE_COMMAND} -D FROM=${fresh} -D TO=${GEN}
            -D NAMES=${GEN}/fresh/${flag}.txt
            -P ${CMAKE_SOURCE_DIR}/cmake/ReplaceChanged.cmake
    DEPENDS ${descriptors} ${ARG_DEPENDS}
    COMMENT "${ARG_COMMENT}")
endfunction()
generate_by_protoc(c_out ${GEN}/c.fds OUTPUT ${pb_c} ${pb_h}
  COMMENT "protoc-c")

# 4. Method tables, rules, short names and registries by our own plugin.
set(plugin_sources client gen header json names protoc-gen-prbal registry
  rule_checks rule_print rule_read source)
list(TRANSFORM plugin_sources PREPEND rpc/gen/)
list(TRANSFORM plugin_sources APPEND .c)
set(plugin_pb prbal/options buf/validate/validate google/protobuf/duration
  google/protobuf/timestamp google/protobuf/field_mask)
list(TRANSFORM plugin_pb PREPEND ${GEN}/)
list(TRANSFORM plugin_pb APPEND .pb-c.c)
add_library(prbal_plugin_proto STATIC ${plugin_pb})
target_include_directories(prbal_plugin_proto SYSTEM PUBLIC ${GEN})
target_link_libraries(prbal_plugin_proto PUBLIC prbal_bootstrap)
add_executable(protoc-gen-prbal ${plugin_sources} rpc/arena.c rpc/codec.c
  rpc/regex_compile.c rpc/rule_values.c)
target_link_libraries(protoc-gen-prbal PRIVATE prbal_warnings prbal_plugin_proto)
target_link_options(protoc-gen-prbal PRIVATE ${tool_flags})
generate_by_protoc(prbal_out ${GEN}/all.fds OUTPUT ${rpc_c} ${rpc_h}
  OPTIONS --plugin=protoc-gen-prbal=$<TARGET_FILE:protoc-gen-prbal>
  DEPENDS protoc-gen-prbal
  COMMENT "protoc-gen-prbal")

# Everything that includes a generated header waits for this.
list(TRANSFORM pb_h PREPEND ${GEN}/ OUTPUT_VARIABLE generated_headers)
foreach(header ${rpc_h})
  list(APPEND generated_headers ${GEN}/${header})
endforeach()
add_custom_target(prbal_generate DEPENDS ${generated_headers})

# 5. The libraries.  prbal_proto: structs and descriptors of what servers and
# clients speak.
set(proto_sources ${pb_c})
list(FILTER proto_sources EXCLUDE REGEX "^(tests|buf)/")
list(TRANSFORM proto_sources PREPEND ${GEN}/)
add_library(prbal_proto STATIC ${proto_sources})
add_dependencies(prbal_proto prbal_generate)
target_include_directories(prbal_proto SYSTEM PUBLIC ${GEN})
target_link_libraries(prbal_proto PUBLIC PkgConfig::protobufc)
target_compile_options(prbal_proto PUBLIC -Wno-missing-braces)

# The runtime's own services go into rpc itself.
set(rpc_generated ${rpc_c})
list(FILTER rpc_generated INCLUDE REGEX "^(grpc|google|xds|prbal/runtime)/")
list(TRANSFORM rpc_generated PREPEND ${GEN}/)

# prbal_api: method tables and prbal_registry.  It needs the handlers, and they
# need the names: the two libraries link each other, and a handler that nobody
# has written is an unresolved name.
set(api_sources ${rpc_c})
list(FILTER api_sources INCLUDE REGEX "^(prbal|services)/")
list(FILTER api_sources EXCLUDE REGEX "^prbal/runtime/")
list(TRANSFORM api_sources PREPEND ${GEN}/)
add_library(prbal_api STATIC ${api_sources})
target_link_libraries(prbal_api PUBLIC rpc services)

# test_api: the same for the services that tests bring along.
set(test_api_sources ${pb_c} ${rpc_c})
list(FILTER test_api_sources INCLUDE REGEX "^tests/")
list(TRANSFORM test_api_sources PREPEND ${GEN}/)
file(GLOB test_handlers CONFIGURE_DEPENDS tests/rpc/*service.c
  tests/bench/streams.c)
add_library(test_api STATIC EXCLUDE_FROM_ALL ${test_api_sources} ${test_handlers})
target_link_libraries(test_api PRIVATE prbal_warnings PUBLIC rpc)
target_compile_definitions(test_api PUBLIC
  PRBAL_DESCRIPTORS="${GEN}/all.fds"
  PRBAL_PLUGIN="$<TARGET_FILE:protoc-gen-prbal>"
  PRBAL_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
