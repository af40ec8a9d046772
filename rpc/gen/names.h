#ifndef PRBAL_RPC_GEN_NAMES_H
#define PRBAL_RPC_GEN_NAMES_H

#include "rpc/arena.h"

/* From names in a .proto to names in C. */

/* Our own: "GetOTPRequest" -> "get_otp_request", and in capitals. */
char *name_snake(struct arena *arena, const char *camel);
char *name_macro(struct arena *arena, const char *camel);

/* protoc-c's own rules, which what we write has to agree with: it makes
 * "get_otprequest" of the same. */
char *name_lower(struct arena *arena, const char *camel);
char *name_field_upper(struct arena *arena, const char *field);

/* Full names with dots, as protoc-c joins them: "pb.Bid.Line" ->
 * "Pb__Bid__Line", "pb__bid__line", "PB__BID__LINE". */
char *name_c_type(struct arena *arena, const char *full_name);
char *name_c_lower(struct arena *arena, const char *full_name);
char *name_c_upper(struct arena *arena, const char *full_name);

/* The name without its dots: "Bid.Line" -> "BidLine". */
char *name_join(struct arena *arena, const char *dotted);

/* A path without its ".proto". */
char *name_stem(struct arena *arena, const char *path);

/* A path as an include guard. */
char *name_guard(struct arena *arena, const char *path);

#endif
