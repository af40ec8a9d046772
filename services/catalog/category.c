/* Categories: a small tree, read as a flat list in which each top is followed
 * by its children. */
#include "prbal/v1/catalog.rpc.h"
#include "services/caller.h"
#include "services/catalog/category.sql.h"

#include <string.h>

static bool is_child_of(const Category *category, const Category *top)
{
    return strcmp(category->parent_id, top->category_id) == 0;
}

/* Gives each top in rows[count] the rows behind it that are its children, and
 * lists the tops in the call's arena.  A row that comes after neither its
 * parent nor a brother is left out: its parent is not to be seen. */
static Category **fold_children(struct rpc_call *call, Category **rows,
                                size_t count, size_t *top_count)
{
    Category **tops = arena_array(call->arena, count, sizeof(Category *));
    *top_count = 0;
    for (size_t i = 0; i < count;) {
        Category *top = rows[i++];
        if (top->parent_id[0] != '\0')
            continue;
        tops[(*top_count)++] = top;
        top->children = rows + i;
        for (; i < count && is_child_of(rows[i], top); i++)
            top->n_children++;
    }
    return tops;
}

/* A category, found by id or by slug, and the children that are to be seen. */
static rpc_status find_category(struct rpc_call *call, const char *id,
                                const char *slug, bool with_inactive,
                                Category **category)
{
    size_t count;
    Category **rows;
    TRY(db_many(call->db, &category_with_children, &count, &rows, db_text(id),
                db_text(slug), db_bool(with_inactive)));
    if (count == 0)
        return rpc_fail(call, RPC_NOT_FOUND, "category not found");
    *category = rows[0];
    (*category)->n_children = count - 1;
    (*category)->children = rows + 1;
    return RPC_SUCCESS;
}

static rpc_status list_tops(struct rpc_call *call,
                            const ListCategoriesRequest *req,
                            ListCategoriesResponse *res)
{
    size_t count;
    Category **rows;
    TRY(db_many(call->db, &category_list, &count, &rows, db_bool(req->tree),
                db_bool(req->include_inactive)));
    res->categories = fold_children(call, rows, count, &res->n_categories);
    return RPC_SUCCESS;
}

rpc_status catalog_list_categories(struct rpc_call *call,
                                   const ListCategoriesRequest *req,
                                   ListCategoriesResponse *res)
{
    if (req->include_inactive && !caller_is_admin(call))
        return rpc_fail(call, RPC_PERMISSION_DENIED,
                        "only administrators see inactive categories");
    if (req->parent_id[0] == '\0')
        return list_tops(call, req, res);

    Category *parent;
    TRY(find_category(call, req->parent_id, NULL, req->include_inactive,
                      &parent));
    res->n_categories = parent->n_children;
    res->categories = parent->children;
    return RPC_SUCCESS;
}

rpc_status catalog_get_category(struct rpc_call *call,
                                const GetCategoryRequest *req,
                                GetCategoryResponse *res)
{
    bool by_slug = req->by_case == GET_CATEGORY_REQUEST_SLUG_CASE;
    return find_category(call, by_slug ? NULL : req->category_id,
                         by_slug ? req->slug : NULL, caller_is_admin(call),
                         &res->category);
}
