# Statements and migrations, from .sql to C (db/gen/sql2c.c).  The header of
# services/bids/bid.sql is "services/bids/bid.sql.h".
file(GLOB sql_queries CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
  db/*.sql services/*/*.sql)
file(GLOB sql_tests CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
  tests/*/*.sql)
file(GLOB sql_migrations CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}
  db/migrations/*.sql)

set(sql_inputs ${sql_queries} ${sql_tests} ${sql_migrations})
set(sql_c ${GEN}/db/queries.c)
foreach(file ${sql_queries})
  list(APPEND sql_c ${GEN}/${file}.c)
  list(APPEND sql_outputs ${GEN}/${file}.h)
endforeach()
set(sql_tests_c ${GEN}/tests/queries.c)
foreach(file ${sql_tests})
  list(APPEND sql_tests_c ${GEN}/${file}.c)
  list(APPEND sql_outputs ${GEN}/${file}.h)
endforeach()
list(APPEND sql_outputs ${sql_c} ${sql_tests_c} ${GEN}/db/migrations.c)

# A build tool: its few allocations live until it ends.
add_executable(sql2c db/gen/sql2c.c db/gen/lexer.c)
target_link_libraries(sql2c PRIVATE prbal_warnings)
target_compile_options(sql2c PRIVATE -fno-sanitize=all)
target_link_options(sql2c PRIVATE -fno-sanitize=all)

add_custom_command(
  OUTPUT ${sql_outputs}
  COMMAND sql2c ${GEN} ${CMAKE_SOURCE_DIR} ${sql_inputs}
  DEPENDS sql2c ${sql_inputs}
  WORKING_DIRECTORY ${CMAKE_SOURCE_DIR}
  COMMENT "sql2c"
  VERBATIM)
add_custom_target(sql DEPENDS ${sql_outputs})

# The statements stand apart from the code that runs them, so that a program
# without services (check_sql, the tests of db/) can be linked.
add_library(prbal_sql STATIC ${sql_c})
add_dependencies(prbal_sql sql)
target_link_libraries(prbal_sql PUBLIC prbal_proto)

add_library(prbal_migrations STATIC ${GEN}/db/migrations.c)
add_dependencies(prbal_migrations sql)

# Statements of tests/db and tests/services.
add_library(prbal_test_sql STATIC ${sql_tests_c})
add_dependencies(prbal_test_sql sql)
target_link_libraries(prbal_test_sql PUBLIC prbal_proto test_api)
