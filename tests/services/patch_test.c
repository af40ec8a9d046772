#include "services/patch.h"

#include "prbal/v1/listing.rpc.h"
#include "rpc/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct update {
    UpdateServiceRequest req;
    Google__Protobuf__FieldMask mask;
    Service object;
};

static const char *tags[] = {"pipe", "tap"};

static struct update fresh(void)
{
    struct update u = {
        .req = UPDATE_SERVICE_REQUEST_INIT,
        .mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT,
        .object = SERVICE_INIT,
    };
    u.object.service_id = "its own id";
    u.object.title = "old title";
    u.object.description = "old words";
    u.object.min_hours = 3;
    u.object.is_negotiable = true;
    u.object.n_tags = 1;
    u.object.tags = tags;
    return u;
}

static void set_title(struct update *u, const char *title)
{
    u->req._title_case = UPDATE_SERVICE_REQUEST_TITLE_CASE;
    u->req.title = title;
}

static void apply(struct update *u)
{
    struct patch patch = {&u->req.base, &u->mask};
    patch_apply(patch, &u->object.base);
}

static void without_a_mask_what_is_set_is_copied(void **state)
{
    struct update u = fresh();
    set_title(&u, "new title");
    u.req._min_hours_case = UPDATE_SERVICE_REQUEST_MIN_HOURS_CASE;
    u.req.min_hours = 0; /* set to zero is set */
    u.req.n_tags = 2;
    u.req.tags = tags;
    apply(&u);

    assert_string_equal(u.object.title, "new title");
    assert_string_equal(u.object.description, "old words");
    assert_int_equal(u.object.min_hours, 0);
    assert_true(u.object.is_negotiable);
    assert_int_equal(u.object.n_tags, 2);
    assert_string_equal(u.object.tags[1], "tap");
    (void)state;
}

static void a_mask_leaves_out_what_it_does_not_name(void **state)
{
    struct update u = fresh();
    const char *paths[] = {"description"};
    u.mask.n_paths = 1;
    u.mask.paths = paths;
    set_title(&u, "new title");
    u.req._description_case = UPDATE_SERVICE_REQUEST_DESCRIPTION_CASE;
    u.req.description = "new words";
    apply(&u);

    assert_string_equal(u.object.title, "old title");
    assert_string_equal(u.object.description, "new words");
    (void)state;
}

static void what_a_mask_names_but_nobody_set_is_cleared(void **state)
{
    struct update u = fresh();
    const char *paths[] = {"description", "min_hours", "tags", "price",
                           "is_negotiable"};
    Money price = MONEY_INIT;
    u.object.price = &price;
    u.mask.n_paths = 5;
    u.mask.paths = paths;
    apply(&u);

    assert_string_equal(u.object.description, "");
    assert_int_equal(u.object.min_hours, 0);
    assert_int_equal(u.object.n_tags, 0);
    assert_null(u.object.price);
    assert_false(u.object.is_negotiable);
    assert_string_equal(u.object.title, "old title");
    (void)state;
}

static void the_id_of_the_object_is_never_part_of_the_patch(void **state)
{
    struct update u = fresh();
    u.req.service_id = "another id";
    apply(&u);
    assert_string_equal(u.object.service_id, "its own id");
    (void)state;
}

static void a_mask_that_names_no_field_is_refused(void **state)
{
    static const struct {
        const char *path;
        rpc_code want;
    } cases[] = {
        {"title", RPC_OK},
        {"tags", RPC_OK},
        {"price", RPC_OK},
        {"service_id", RPC_INVALID_ARGUMENT},
        {"update_mask", RPC_INVALID_ARGUMENT},
        {"is_featured", RPC_INVALID_ARGUMENT},
        {"price.currency", RPC_INVALID_ARGUMENT},
        {"", RPC_INVALID_ARGUMENT},
        {"*", RPC_INVALID_ARGUMENT},
    };
    struct rpc_call call = {.arena = arena_create()};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct update u = fresh();
        u.mask.n_paths = 1;
        u.mask.paths = (const char **)&cases[i].path;
        struct patch patch = {&u.req.base, &u.mask};
        assert_int_equal(patch_check(&call, patch).code, cases[i].want);
    }
    arena_destroy(call.arena);
    (void)state;
}

static void a_patch_knows_what_it_touches(void **state)
{
    struct update u = fresh();
    struct patch patch = {&u.req.base, NULL};
    assert_true(patch_touches_only(patch, "description"));
    u.req._description_case = UPDATE_SERVICE_REQUEST_DESCRIPTION_CASE;
    u.req.description = "new";
    assert_true(patch_touches_only(patch, "description"));
    assert_true(patch_touches(patch, "description"));
    assert_false(patch_touches(patch, "title"));
    set_title(&u, "new title");
    assert_false(patch_touches_only(patch, "description"));
    assert_true(patch_touches(patch, "title"));
    (void)state;
}

static void an_object_is_filled_from_the_request_that_makes_it(void **state)
{
    CreateServiceRequest req = CREATE_SERVICE_REQUEST_INIT;
    Service object = SERVICE_INIT;
    Money price = MONEY_INIT;
    req.kind = SERVICE_KIND_NEEDED;
    req.title = "A leaking tap";
    req.price = &price;
    req.n_tags = 2;
    req.tags = tags;
    req.instant_book = true;
    req.max_hours = 4;
    patch_fill(&req.base, &object.base);

    assert_int_equal(object.kind, SERVICE_KIND_NEEDED);
    assert_string_equal(object.title, "A leaking tap");
    assert_ptr_equal(object.price, &price);
    assert_int_equal(object.n_tags, 2);
    assert_true(object.instant_book);
    assert_int_equal(object.max_hours, 4);
    assert_string_equal(object.city, "");
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_mask_what_is_set_is_copied),
        cmocka_unit_test(a_mask_leaves_out_what_it_does_not_name),
        cmocka_unit_test(what_a_mask_names_but_nobody_set_is_cleared),
        cmocka_unit_test(the_id_of_the_object_is_never_part_of_the_patch),
        cmocka_unit_test(a_mask_that_names_no_field_is_refused),
        cmocka_unit_test(a_patch_knows_what_it_touches),
        cmocka_unit_test(an_object_is_filled_from_the_request_that_makes_it),
    };
    return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
