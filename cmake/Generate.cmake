# From .proto and .sql to C, in build/*/gen; nothing generated is committed.
set(GEN ${CMAKE_BINARY_DIR}/gen)
file(MAKE_DIRECTORY ${GEN})

# protobuf-c structs of the well-known types.
set(wellknown any duration empty field_mask struct timestamp wrappers)
foreach(name ${wellknown})
  list(APPEND wellknown_c ${GEN}/google/protobuf/${name}.pb-c.c)
  list(APPEND wellknown_h ${GEN}/google/protobuf/${name}.pb-c.h)
  list(APPEND wellknown_proto google/protobuf/${name}.proto)
endforeach()
add_custom_command(
  OUTPUT ${wellknown_c} ${wellknown_h}
  COMMAND protoc -I /usr/include --c_out=${GEN} ${wellknown_proto}
  COMMENT "protoc-c google/protobuf")

add_library(prbal_proto STATIC ${wellknown_c})
target_include_directories(prbal_proto SYSTEM PUBLIC ${GEN})
target_link_libraries(prbal_proto PUBLIC PkgConfig::protobufc)

# Replaced by the real thing: the API's messages, method tables and statements.
add_library(prbal_api INTERFACE)
