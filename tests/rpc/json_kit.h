#ifndef PRBAL_TESTS_RPC_JSON_KIT_H
#define PRBAL_TESTS_RPC_JSON_KIT_H

/* The messages that tests of JSON speak of, as a registry. */

#include "rpc/json.h"
#include "rpc/json_table.h"
#include "tests/rpc/codec.rpc.h"
#include "tests/rpc/json.rpc.h"

extern const struct json_message pb__everything__json, pb__nothing__json,
    pb__well_known__json, pb__maps__json, pb__names__json;

static const struct json_message *const json_kit_messages[] = {
    &pb__everything__json, &pb__nothing__json, &pb__well_known__json,
    &pb__maps__json,       &pb__names__json,
};

static const struct rpc_registry json_kit_registry = {
    .messages = json_kit_messages,
    .message_count = sizeof json_kit_messages / sizeof json_kit_messages[0],
};

static inline struct json_types *json_kit_types(void)
{
    static const struct rpc_registry *const registries[] = {&json_kit_registry,
                                                            NULL};
    return json_types_create(registries);
}

#endif
