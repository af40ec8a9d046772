/* Partial reads, through a whole call: rpc/read_mask.c. */
#include "tests/rpc/here.h"

#include "rpc/read_mask.h"

#include <stdio.h>

enum { PATHS_MAX = READ_MASK_PATHS_MAX + 1 };

static int setup(void **state)
{
    *state = here_start((struct rpc_server_options){0});
    return 0;
}

/* Reads with these paths, which end with NULL. */
static struct rpc_reply read_paths(fixture *t, const char *const *paths)
{
    static const char *kept[PATHS_MAX];
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    ReadRequest req = READ_REQUEST_INIT;
    for (; paths[mask.n_paths] != NULL; mask.n_paths++)
        kept[mask.n_paths] = paths[mask.n_paths];
    mask.paths = kept;
    req.read_mask = &mask;
    return here_call(t, TEST_READ, NULL, &req);
}

#define READ(t, ...) read_paths(t, (const char *const[]){__VA_ARGS__, NULL})

static const ReadResponse *answer_of(struct rpc_reply reply)
{
    assert_code(reply, RPC_OK);
    return (const ReadResponse *)reply.message;
}

static void assert_refused(fixture *t, struct rpc_reply reply)
{
    assert_code(reply, RPC_INVALID_ARGUMENT);
    const Google__Rpc__BadRequest *bad =
        here_detail(t, reply, &google__rpc__bad_request__descriptor);
    assert_int_equal(bad->n_field_violations, 1);
    assert_string_equal(bad->field_violations[0]->field, "read_mask");
}

static void assert_is_whole(const Tree *tree)
{
    assert_string_not_equal(tree->name, "");
    assert_int_equal(tree->payload.len, 7);
    assert_int_equal(tree->_share_case, TREE_SHARE_CASE);
    assert_int_equal(tree->n_tags, 2);
    assert_int_equal(tree->pick_case, TREE_PICK_TEXT_CASE);
}

static void no_mask_and_an_empty_one_read_everything(void **state)
{
    fixture *t = *state;
    ReadRequest req = READ_REQUEST_INIT;
    const ReadResponse *answers[] = {
        answer_of(here_call(t, TEST_READ, NULL, &req)),
        answer_of(read_paths(t, (const char *const[]){NULL})),
    };
    for (int i = 0; i < 2; i++) {
        assert_is_whole(answers[i]->tree);
        assert_is_whole(answers[i]->tree->child->children[1]);
        assert_int_equal(answers[i]->n_trees, 2);
        assert_int_equal(answers[i]->n_texts, 2);
    }
}

static void what_is_named_stays_whole_and_the_rest_goes(void **state)
{
    fixture *t = *state;
    const ReadResponse *res = answer_of(READ(t, "tree"));
    assert_is_whole(res->tree);
    assert_is_whole(res->tree->children[0]);
    assert_int_equal(res->n_trees, 0);
    assert_int_equal(res->n_texts, 0);
}

static void fields_of_every_kind_are_left_out(void **state)
{
    fixture *t = *state;
    const Tree *tree = answer_of(READ(t, "tree.number"))->tree;
    assert_int_equal(tree->number, 2);
    assert_string_equal(tree->name, "");
    assert_int_equal(tree->payload.len, 0);
    assert_int_equal(tree->_share_case, 0);
    assert_int_equal(tree->n_tags, 0);
    assert_null(tree->child);
    assert_int_equal(tree->n_children, 0);
    assert_int_equal(tree->pick_case, 0);
}

static void the_other_member_of_a_oneof_is_not_mistaken(void **state)
{
    fixture *t = *state;
    const Tree *tree = answer_of(READ(t, "tree.pick_text"))->tree;
    assert_int_equal(tree->pick_case, TREE_PICK_TEXT_CASE);
    assert_string_equal(tree->pick_text, "picked");
    tree = answer_of(READ(t, "tree.pick_tree"))->tree;
    assert_int_equal(tree->pick_case, 0);
}

static void paths_lead_through_all_members_of_a_list(void **state)
{
    fixture *t = *state;
    const ReadResponse *res =
        answer_of(READ(t, "trees.children.name", "trees.tags"));
    assert_null(res->tree);
    assert_int_equal(res->n_trees, 2);
    for (int i = 0; i < 2; i++) {
        const Tree *tree = res->trees[i];
        assert_string_equal(tree->name, "");
        assert_int_equal(tree->n_tags, 2);
        assert_int_equal(tree->n_children, 2);
        assert_string_equal(tree->children[0]->name, "first");
        assert_string_equal(tree->children[1]->name, "second");
        assert_int_equal(tree->children[1]->n_tags, 0);
    }
}

static void a_path_holds_what_lies_below_it_in_either_order(void **state)
{
    fixture *t = *state;
    assert_is_whole(answer_of(READ(t, "tree", "tree.child.name"))->tree);
    assert_is_whole(answer_of(READ(t, "tree.child.name", "tree"))->tree);
}

static void what_the_answer_says_of_itself_always_stays(void **state)
{
    fixture *t = *state;
    const ReadResponse *res = answer_of(READ(t, "texts"));
    assert_int_equal(res->total_size, 7);
    assert_string_equal(res->next_page_token, "more");
    assert_int_equal(answer_of(READ(t, "total_size"))->total_size, 7);
}

static void a_path_that_leads_nowhere_is_refused_by_name(void **state)
{
    fixture *t = *state;
    static const char *const wrong[] = {
        "",          "tre",         "trees.",    ".tree",       "tree..name",
        "tree.nam",  "trees.0",     "texts.one", "tree.name.x", "*",
        "tree name", "total_size.",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct rpc_reply reply = READ(t, "tree.name", wrong[i]);
        assert_refused(t, reply);
        char quoted[40];
        snprintf(quoted, sizeof quoted, "\"%s\"", wrong[i]);
        assert_non_null(strstr(reply.status.message, quoted));
    }
}

/* However long a wrong path is, the violation is sent, and is UTF-8. */
static void a_long_wrong_path_is_cut_between_characters(void **state)
{
    fixture *t = *state;
    char path[1001] = "x";
    for (size_t i = 1; i + 2 < sizeof path; i += 2)
        memcpy(path + i, "\xc3\xa9", 3);
    struct rpc_reply reply = READ(t, path);
    assert_refused(t, reply);
    assert_non_null(strstr(reply.status.message, "\xc3\xa9\" is no field"));
}

static const char *deep_path(fixture *t, int segments)
{
    const char *path = "tree";
    for (int i = 1; i < segments; i++)
        path = arena_printf(t->arena, "%s.child", path);
    return path;
}

static void a_path_has_a_greatest_depth(void **state)
{
    fixture *t = *state;
    assert_code(READ(t, deep_path(t, READ_MASK_DEPTH_MAX)), RPC_OK);
    assert_refused(t, READ(t, deep_path(t, READ_MASK_DEPTH_MAX + 1)));
}

static void a_mask_has_a_greatest_length(void **state)
{
    fixture *t = *state;
    const char *paths[PATHS_MAX + 1] = {0};
    for (int i = 0; i < READ_MASK_PATHS_MAX; i++)
        paths[i] = "tree.name";
    assert_code(read_paths(t, paths), RPC_OK);
    paths[READ_MASK_PATHS_MAX] = "tree.name";
    assert_refused(t, read_paths(t, paths));
}

static void a_handler_can_ask_what_is_wanted(void **state)
{
    (void)state;
    const char *paths[] = {"tree.child", "texts"};
    Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
    assert_true(read_mask_wants(NULL, "trees"));
    assert_true(read_mask_wants(&mask, "trees"));
    mask.n_paths = 2;
    mask.paths = paths;
    assert_true(read_mask_wants(&mask, "tree"));
    assert_true(read_mask_wants(&mask, "tree.child"));
    assert_true(read_mask_wants(&mask, "tree.child.name"));
    assert_false(read_mask_wants(&mask, "tree.name"));
    assert_false(read_mask_wants(&mask, "trees"));
    assert_false(read_mask_wants(&mask, "text"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, here_stop)
        CASE(no_mask_and_an_empty_one_read_everything),
        CASE(what_is_named_stays_whole_and_the_rest_goes),
        CASE(fields_of_every_kind_are_left_out),
        CASE(the_other_member_of_a_oneof_is_not_mistaken),
        CASE(paths_lead_through_all_members_of_a_list),
        CASE(a_path_holds_what_lies_below_it_in_either_order),
        CASE(what_the_answer_says_of_itself_always_stays),
        CASE(a_path_that_leads_nowhere_is_refused_by_name),
        CASE(a_long_wrong_path_is_cut_between_characters),
        CASE(a_path_has_a_greatest_depth),
        CASE(a_mask_has_a_greatest_length),
        cmocka_unit_test(a_handler_can_ask_what_is_wanted),
    };
    return cmocka_run_group_tests_name("read_mask", tests, NULL, NULL);
}
