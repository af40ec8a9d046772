#include "prbal/v1/catalog.rpc.h"
#include "tests/testkit/testkit.h"

#define LIST "/prbal.v1.CatalogService/ListCategories"
#define GET "/prbal.v1.CatalogService/GetCategory"

/* A top category with two children, all with names of the test's own. */
static const char *plant(fixture *t, const char *slug)
{
    const char *top = text(t,
                           "insert into category (name, slug, sort_order)"
                           " values ('Top %s', '%s', -1) returning category_id",
                           slug, slug);
    sql(t,
        "insert into category (parent_id, name, slug, sort_order) values"
        " ('%s', 'Second', '%s-second', 2), ('%s', 'First', '%s-first', 1)",
        top, slug, top, slug);
    return top;
}

static const Category *find(const Category *const *rows, size_t count,
                            const char *slug)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i]->slug, slug) == 0)
            return rows[i];
    return NULL;
}

#define FIND(list, slug)                                                    \
    find((const Category *const *)(list)->categories, (list)->n_categories, \
         slug)

static const ListCategoriesResponse *list(fixture *t, const struct person *who,
                                          const char *parent_id, bool tree,
                                          bool include_inactive)
{
    ListCategoriesRequest req = LIST_CATEGORIES_REQUEST_INIT;
    req.parent_id = parent_id;
    req.tree = tree;
    req.include_inactive = include_inactive;
    return ANSWER(ListCategoriesResponse, call_as(t, who, LIST, &req));
}

static void anybody_lists_the_top_level_in_its_order(void **state)
{
    fixture *t = *state;
    plant(t, "order");
    const ListCategoriesResponse *all = list(t, NULL, "", false, false);

    assert_int_equal(all->n_categories,
                     number(t, "select count(*) from category"
                               " where parent_id is null and is_active"));
    for (size_t i = 0; i < all->n_categories; i++) {
        assert_string_equal(all->categories[i]->parent_id, "");
        assert_int_equal(all->categories[i]->n_children, 0);
        if (i > 0)
            assert_true(all->categories[i - 1]->sort_order <=
                        all->categories[i]->sort_order);
    }
}

static void a_tree_has_each_child_under_its_parent(void **state)
{
    fixture *t = *state;
    const char *top_id = plant(t, "tree");
    const ListCategoriesResponse *all = list(t, NULL, "", true, false);

    const Category *top = FIND(all, "tree");
    assert_non_null(top);
    assert_int_equal(top->n_children, 2);
    assert_string_equal(top->children[0]->name, "First");
    assert_string_equal(top->children[1]->name, "Second");
    assert_string_equal(top->children[1]->parent_id, top_id);
    size_t count = all->n_categories;
    for (size_t i = 0; i < all->n_categories; i++)
        count += all->categories[i]->n_children;
    assert_int_equal(count, number(t, "select count(*) from category"));
}

static void the_children_of_one_category_are_listed(void **state)
{
    fixture *t = *state;
    const char *top_id = plant(t, "children");
    const ListCategoriesResponse *children =
        list(t, NULL, top_id, false, false);

    assert_int_equal(children->n_categories, 2);
    assert_string_equal(children->categories[0]->slug, "children-first");
    assert_string_equal(children->categories[1]->slug, "children-second");
}

static void inactive_ones_are_for_administrators(void **state)
{
    fixture *t = *state;
    struct person admin = person(t, USER_TYPE_ADMIN);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    const char *top_id = plant(t, "hidden");
    sql(t, "update category set is_active = false where slug = 'hidden'");

    assert_null(FIND(list(t, NULL, "", true, false), "hidden"));
    assert_null(FIND(list(t, NULL, "", true, false), "hidden-first"));
    const Category *top = FIND(list(t, &admin, "", true, true), "hidden");
    assert_non_null(top);
    assert_int_equal(top->n_children, 2);

    ListCategoriesRequest req = LIST_CATEGORIES_REQUEST_INIT;
    req.include_inactive = true;
    assert_code(call_as(t, &seeker, LIST, &req), RPC_PERMISSION_DENIED);
    assert_code(call_as(t, NULL, LIST, &req), RPC_PERMISSION_DENIED);

    GetCategoryRequest get = GET_CATEGORY_REQUEST_INIT;
    get.by_case = GET_CATEGORY_REQUEST_CATEGORY_ID_CASE;
    get.category_id = top_id;
    assert_code(call_as(t, &seeker, GET, &get), RPC_NOT_FOUND);
    assert_ok(call_as(t, &admin, GET, &get));
}

static void a_category_is_found_by_id_and_by_slug(void **state)
{
    fixture *t = *state;
    const char *top_id = plant(t, "found");
    sql(t, "update category set band_min_minor = 100, band_max_minor = 900,"
           " band_currency = 'DZD', description = 'D', icon = 'I'"
           " where slug = 'found'");
    sql(t, "update category set is_active = false where slug = 'found-first'");
    GetCategoryRequest req = GET_CATEGORY_REQUEST_INIT;
    req.by_case = GET_CATEGORY_REQUEST_SLUG_CASE;
    req.slug = "found";
    const Category *category =
        ANSWER(GetCategoryResponse, call_as(t, NULL, GET, &req))->category;

    assert_string_equal(category->category_id, top_id);
    assert_string_equal(category->name, "Top found");
    assert_string_equal(category->description, "D");
    assert_string_equal(category->icon, "I");
    assert_int_equal(category->price_band_min->amount_minor, 100);
    assert_int_equal(category->price_band_max->amount_minor, 900);
    assert_string_equal(category->price_band_max->currency, "DZD");
    assert_true(category->is_active);
    assert_int_equal(category->n_children, 1);
    assert_string_equal(category->children[0]->slug, "found-second");
    assert_null(category->children[0]->price_band_min);

    req.by_case = GET_CATEGORY_REQUEST_CATEGORY_ID_CASE;
    req.category_id = category->children[0]->category_id;
    category =
        ANSWER(GetCategoryResponse, call_as(t, NULL, GET, &req))->category;
    assert_string_equal(category->slug, "found-second");
    assert_int_equal(category->n_children, 0);
}

static void what_is_not_there_is_not_found(void **state)
{
    fixture *t = *state;
    GetCategoryRequest req = GET_CATEGORY_REQUEST_INIT;
    req.by_case = GET_CATEGORY_REQUEST_SLUG_CASE;
    req.slug = "no-such-thing";
    assert_code(call_as(t, NULL, GET, &req), RPC_NOT_FOUND);

    ListCategoriesRequest children = LIST_CATEGORIES_REQUEST_INIT;
    children.parent_id = "018f0000-0000-7000-8000-000000000009";
    assert_code(call_as(t, NULL, LIST, &children), RPC_NOT_FOUND);
}

static void malformed_requests_name_their_field(void **state)
{
    fixture *t = *state;
    ListCategoriesRequest list_req = LIST_CATEGORIES_REQUEST_INIT;
    list_req.parent_id = "plumbing";
    assert_field_violation(call_as(t, NULL, LIST, &list_req), "parent_id");

    GetCategoryRequest req = GET_CATEGORY_REQUEST_INIT;
    assert_field_violation(call_as(t, NULL, GET, &req), "by");
    req.by_case = GET_CATEGORY_REQUEST_CATEGORY_ID_CASE;
    req.category_id = "1";
    assert_field_violation(call_as(t, NULL, GET, &req), "category_id");
    char slug[102];
    memset(slug, 's', 101);
    slug[101] = '\0';
    req.by_case = GET_CATEGORY_REQUEST_SLUG_CASE;
    req.slug = slug;
    assert_field_violation(call_as(t, NULL, GET, &req), "slug");
}

static void the_tree_is_never_three_levels_deep(void **state)
{
    fixture *t = *state;
    plant(t, "depth");
    sql(t, "do $$ begin"
           "  insert into category (parent_id, name, slug)"
           "  select category_id, 'Third', 'third' from category"
           "   where slug = 'depth-first';"
           "  raise 'a third level was taken';"
           " exception when foreign_key_violation then null;"
           " end $$");
    assert_int_equal(
        number(t, "select count(*) from category where slug = 'third'"), 0);
}

TEST_MAIN("catalog", TEST(anybody_lists_the_top_level_in_its_order),
          TEST(a_tree_has_each_child_under_its_parent),
          TEST(the_children_of_one_category_are_listed),
          TEST(inactive_ones_are_for_administrators),
          TEST(a_category_is_found_by_id_and_by_slug),
          TEST(what_is_not_there_is_not_found),
          TEST(malformed_requests_name_their_field),
          TEST(the_tree_is_never_three_levels_deep))
