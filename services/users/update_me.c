/* UpdateMe: the whole of what may be changed is read, patched, checked and
 * written back, under the account's row lock. */
#include "prbal/v1/user.rpc.h"
#include "services/audit.h"
#include "services/money.h"
#include "services/patch.h"
#include "services/users/user.sql.h"
#include "services/users/user_row.rpc.h"
#include "services/violations.h"

#define BIT(type) (1u << (type))

enum {
    PROVIDERS = BIT(USER_TYPE_PROVIDER) | BIT(USER_TYPE_BOTH),
    SEEKERS =
        BIT(USER_TYPE_SEEKER) | BIT(USER_TYPE_BOTH) | BIT(USER_TYPE_ADMIN),
    WITH_BIO = PROVIDERS | BIT(USER_TYPE_LEARNER) | BIT(USER_TYPE_ADMIN),
};

/* Fields that not everybody has; the others are everybody's. */
static const struct {
    const char *field;
    unsigned types;
} restricted[] = {
    {"bio", WITH_BIO},
    {"activity_type", SEEKERS},
    {"profession", PROVIDERS},
    {"business_name", PROVIDERS},
    {"business_description", PROVIDERS},
    {"years_of_experience", PROVIDERS},
    {"license_number", PROVIDERS},
    {"insurance_info", PROVIDERS},
    {"service_radius_km", PROVIDERS},
    {"hourly_rate", PROVIDERS},
};

static bool is_blank(const char *text)
{
    while (*text == ' ' || *text == '\t' || *text == '\n')
        text++;
    return *text == '\0';
}

static void check_fields(struct violations *v, struct patch patch,
                         UserType type)
{
    for (size_t i = 0; i < sizeof restricted / sizeof restricted[0]; i++)
        if (patch_touches(patch, restricted[i].field) &&
            (restricted[i].types & BIT(type)) == 0)
            violate(v, restricted[i].field,
                    "Your kind of account has no such field.");
}

/* What the row would be. */
static void check_result(struct violations *v, const EditableRow *row)
{
    if (is_blank(row->full_name))
        violate(v, "full_name", "A name is needed.");
    if (*row->locale == '\0')
        violate(v, "locale", "A language is needed.");
    if (*row->timezone == '\0')
        violate(v, "timezone", "A time zone is needed.");
    if (*row->phone == '\0' && !row->has_email)
        violate(v, "phone", "An account without an e-mail address needs one.");
    if (row->hourly_rate != NULL && row->hourly_rate->amount_minor < 0)
        violate(v, "hourly_rate", "A rate is not below zero.");
}

static rpc_status write_account(struct db *tx, const char *user_id,
                                const EditableRow *row)
{
    int64_t changed;
    TRY(db_exec(tx, &me_update_account, &changed, db_text(user_id),
                db_text(row->first_name), db_text(row->last_name),
                db_text(row->full_name), db_text_or_null(row->phone),
                db_text(row->locale), db_text(row->timezone)));
    if (changed == 0)
        return rpc_fail_reason(db_call(tx), RPC_ALREADY_EXISTS, "PHONE_TAKEN",
                               "this phone number already has an account");
    return RPC_SUCCESS;
}

static rpc_status write_profile(struct db *tx, const char *user_id,
                                const EditableRow *row)
{
    const LatLng *at = row->coordinates;
    return db_exec(tx, &me_update_profile, NULL, db_text(user_id),
                   db_text(row->avatar_url), db_text(row->bio),
                   db_text(row->location), db_text(row->city),
                   db_text(row->country), db_text(row->region_code),
                   at != NULL ? db_double(at->longitude) : db_null(),
                   at != NULL ? db_double(at->latitude) : db_null(),
                   db_text(row->activity_type), db_text(row->company_name),
                   db_text(row->job_title), db_text(row->profession));
}

/* Changes nothing for those who have no business. */
static rpc_status write_provider(struct db *tx, const char *user_id,
                                 const EditableRow *row)
{
    const Money *rate = row->hourly_rate;
    return db_exec(
        tx, &me_update_provider, NULL, db_text(user_id),
        db_text(row->business_name), db_text(row->business_description),
        db_int(row->years_of_experience), db_text(row->license_number),
        db_text(row->insurance_info), db_int(row->service_radius_km),
        rate != NULL ? db_int(rate->amount_minor) : db_null(),
        rate != NULL ? db_text(rate->currency) : db_null());
}

static rpc_status write_all(struct db *tx, const char *user_id,
                            const EditableRow *row)
{
    TRY(write_account(tx, user_id, row));
    TRY(write_profile(tx, user_id, row));
    TRY(write_provider(tx, user_id, row));
    return audit(tx, "user.updated", "Account", user_id, NULL);
}

static rpc_status check_patched(struct rpc_call *call, struct patch patch,
                                const EditableRow *row)
{
    struct violations v = {.call = call};
    check_fields(&v, patch, row->user_type);
    check_result(&v, row);
    if (v.status.code == RPC_OK && row->hourly_rate != NULL)
        return money_check(call, "hourly_rate", row->hourly_rate);
    return v.status;
}

rpc_status user_update_me(struct rpc_call *call, const UpdateMeRequest *req,
                          UpdateMeResponse *res)
{
    const struct patch patch = {&req->base, req->update_mask};
    TRY(patch_check(call, patch));

    struct db *tx;
    EditableRow *row;
    TRY(db_begin(call->db, &tx));
    TRY(db_one(tx, &me_editable, &row, db_text(call->caller.id)));
    patch_apply(patch, &row->base);
    TRY(check_patched(call, patch, row));
    TRY(write_all(tx, call->caller.id, row));

    UpdateMeResponse *me;
    TRY(db_one(tx, &me_get_updated, &me, db_text(call->caller.id)));
    *res = *me;
    return db_commit(tx);
}
