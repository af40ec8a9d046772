/* GetMe, UpdateMe, GetUser. */
#include "prbal/v1/user.rpc.h"
#include "tests/testkit/market.h"
#include "tests/testkit/testkit.h"

#define GET_ME "/prbal.v1.UserService/GetMe"
#define UPDATE_ME "/prbal.v1.UserService/UpdateMe"
#define GET_USER "/prbal.v1.UserService/GetUser"

/* A proto3 optional field is a oneof of one member. */
#define SET(req, field, FIELD, value) \
    ((req).field = (value),           \
     (req)._##field##_case = UPDATE_ME_REQUEST_##FIELD##_CASE)

static Google__Protobuf__FieldMask *mask(fixture *t, const char *first,
                                         const char *second)
{
    Google__Protobuf__FieldMask *mask =
        ARENA_NEW(t->arena, Google__Protobuf__FieldMask);
    google__protobuf__field_mask__init(mask);
    mask->paths = arena_array(t->arena, 2, sizeof *mask->paths);
    mask->paths[mask->n_paths++] = (char *)first;
    if (second != NULL)
        mask->paths[mask->n_paths++] = (char *)second;
    return mask;
}

static const GetMeResponse *get_me(fixture *t, const struct person *who)
{
    GetMeRequest req = GET_ME_REQUEST_INIT;
    return ANSWER(GetMeResponse, call_as(t, who, GET_ME, &req));
}

/* -- GetMe --------------------------------------------------------------- */

static void a_provider_sees_account_profile_business_and_counters(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    sql(t,
        "update profile set city = 'Oran', rating_avg = 4.25, total_reviews ="
        " 3, coordinates = st_makepoint(-0.63, 35.69) where user_id = '%s'",
        who.user_id);
    sql(t,
        "update provider_profile set hourly_rate_minor = 1250,"
        " hourly_rate_currency = 'USD' where user_id = '%s'",
        who.user_id);
    const GetMeResponse *me = get_me(t, &who);
    assert_string_equal(me->account->user_id, who.user_id);
    assert_string_equal(me->account->email, who.email);
    assert_int_equal(me->account->user_type, USER_TYPE_PROVIDER);
    assert_string_equal(me->profile->city, "Oran");
    assert_true(me->profile->rating_avg == 4.25);
    assert_true(me->profile->coordinates->longitude == -0.63);
    assert_true(me->profile->coordinates->latitude == 35.69);
    assert_int_equal(me->provider_profile->hourly_rate->amount_minor, 1250);
    assert_string_equal(me->provider_profile->hourly_rate->currency, "USD");
    assert_int_equal(me->counters->active_service_count, 0);
}

static void a_seeker_has_no_business(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    const GetMeResponse *me = get_me(t, &who);
    assert_null(me->provider_profile);
    assert_null(me->profile->coordinates);
    assert_int_equal(me->profile->_rating_avg_case, 0);
}

static void a_pending_account_sees_itself(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    assert_int_equal(get_me(t, &who)->account->account_status,
                     ACCOUNT_STATUS_INACTIVE);
}

static void nobody_is_nobody(void **state)
{
    fixture *t = *state;
    GetMeRequest req = GET_ME_REQUEST_INIT;
    assert_reason(call_as(t, NULL, GET_ME, &req), RPC_UNAUTHENTICATED,
                  "TOKEN_MISSING");
}

static void a_read_mask_leaves_the_rest_out(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    GetMeRequest req = GET_ME_REQUEST_INIT;
    req.read_mask = mask(t, "account", "counters");
    const GetMeResponse *me =
        ANSWER(GetMeResponse, call_as(t, &who, GET_ME, &req));
    assert_non_null(me->account);
    assert_non_null(me->counters);
    assert_null(me->profile);
    assert_null(me->provider_profile);
    req.read_mask = mask(t, "password_hash", NULL);
    assert_field_violation(call_as(t, &who, GET_ME, &req), "read_mask");
}

static void my_page_shows_my_services_that_others_find(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_BOTH);
    assert_int_equal(get_me(t, &who)->n_services, 0);
    needed_service(t, &who, "The older one");
    const char *paused = offered_service(t, &who, "The paused one");
    offered_service(t, &who, "The newer one");
    sql(t, "update service set is_active = false where service_id = '%s'",
        paused);
    const GetMeResponse *me = get_me(t, &who);
    assert_int_equal(me->n_services, 2);
    assert_string_equal(me->services[0]->title, "The newer one");
    assert_string_equal(me->services[1]->title, "The older one");
    assert_int_equal(me->counters->active_service_count, 2);

    GetMeRequest req = GET_ME_REQUEST_INIT;
    req.read_mask = mask(t, "account", "counters");
    me = ANSWER(GetMeResponse, call_as(t, &who, GET_ME, &req));
    assert_int_equal(me->n_services, 0);
}

/* -- UpdateMe ------------------------------------------------------------ */

static void what_is_set_is_changed_and_the_rest_stays(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    UpdateMeRequest req = UPDATE_ME_REQUEST_INIT;
    LatLng at = LAT_LNG_INIT;
    Money rate = MONEY_INIT;
    SET(req, city, CITY, "Oran");
    SET(req, bio, BIO, "Twenty years of roofs.");
    SET(req, years_of_experience, YEARS_OF_EXPERIENCE, 20);
    SET(req, business_name, BUSINESS_NAME, "Good Roofs");
    at.latitude = 35.69;
    at.longitude = -0.63;
    req.coordinates = &at;
    rate.amount_minor = 4000;
    rate.currency = "DZD";
    req.hourly_rate = &rate;
    const UpdateMeResponse *res =
        ANSWER(UpdateMeResponse, call_as(t, &who, UPDATE_ME, &req));
    assert_string_equal(res->account->full_name, who.full_name);
    assert_string_equal(res->profile->city, "Oran");
    assert_string_equal(res->profile->bio, "Twenty years of roofs.");
    assert_true(res->profile->coordinates->latitude == 35.69);
    assert_int_equal(res->provider_profile->years_of_experience, 20);
    assert_string_equal(res->provider_profile->business_name, "Good Roofs");
    assert_int_equal(res->provider_profile->hourly_rate->amount_minor, 4000);

    UpdateMeRequest again = UPDATE_ME_REQUEST_INIT;
    SET(again, location, LOCATION, "by the sea");
    res = ANSWER(UpdateMeResponse, call_as(t, &who, UPDATE_ME, &again));
    assert_string_equal(res->profile->city, "Oran");
    assert_string_equal(res->profile->location, "by the sea");
    assert_int_equal(res->provider_profile->years_of_experience, 20);
}

static void a_mask_picks_fields_and_empties_what_is_not_set(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t,
        "update profile set city = 'Oran', coordinates = st_makepoint(1, 2)"
        " where user_id = '%s'",
        who.user_id);
    UpdateMeRequest req = UPDATE_ME_REQUEST_INIT;
    SET(req, city, CITY, "Algiers");
    SET(req, location, LOCATION, "not in the mask");
    req.update_mask = mask(t, "city", "coordinates");
    const UpdateMeResponse *res =
        ANSWER(UpdateMeResponse, call_as(t, &who, UPDATE_ME, &req));
    assert_string_equal(res->profile->city, "Algiers");
    assert_string_equal(res->profile->location, "");
    assert_null(res->profile->coordinates);
    req.update_mask = mask(t, "user_type", NULL);
    assert_field_violation(call_as(t, &who, UPDATE_ME, &req), "update_mask");
}

static void fields_follow_the_user_type(void **state)
{
    fixture *t = *state;
    struct person seeker = person(t, USER_TYPE_SEEKER);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person learner = person(t, USER_TYPE_LEARNER);
    struct person both = person(t, USER_TYPE_BOTH);
    UpdateMeRequest bio = UPDATE_ME_REQUEST_INIT;
    SET(bio, bio, BIO, "Hello.");
    assert_field_violation(call_as(t, &seeker, UPDATE_ME, &bio), "bio");
    assert_ok(call_as(t, &provider, UPDATE_ME, &bio));
    assert_ok(call_as(t, &learner, UPDATE_ME, &bio));
    assert_ok(call_as(t, &both, UPDATE_ME, &bio));

    UpdateMeRequest activity = UPDATE_ME_REQUEST_INIT;
    SET(activity, activity_type, ACTIVITY_TYPE, "Retail");
    assert_ok(call_as(t, &seeker, UPDATE_ME, &activity));
    assert_ok(call_as(t, &both, UPDATE_ME, &activity));
    assert_field_violation(call_as(t, &provider, UPDATE_ME, &activity),
                           "activity_type");

    UpdateMeRequest business = UPDATE_ME_REQUEST_INIT;
    SET(business, business_name, BUSINESS_NAME, "Mine");
    SET(business, service_radius_km, SERVICE_RADIUS_KM, 10);
    struct rpc_reply reply = call_as(t, &learner, UPDATE_ME, &business);
    assert_field_violation(reply, "business_name");
    assert_field_violation(reply, "service_radius_km");
}

static void a_new_phone_number_is_not_verified(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t,
        "update account set phone = '+15550002222', is_phone_verified = true"
        " where user_id = '%s'",
        who.user_id);
    UpdateMeRequest same = UPDATE_ME_REQUEST_INIT;
    SET(same, phone, PHONE, "+15550002222");
    const UpdateMeResponse *res =
        ANSWER(UpdateMeResponse, call_as(t, &who, UPDATE_ME, &same));
    assert_true(res->account->is_phone_verified);

    UpdateMeRequest other = UPDATE_ME_REQUEST_INIT;
    SET(other, phone, PHONE, "+15550003333");
    res = ANSWER(UpdateMeResponse, call_as(t, &who, UPDATE_ME, &other));
    assert_false(res->account->is_phone_verified);
    assert_string_equal(res->account->phone, "+15550003333");
}

static void a_verified_phone_number_is_taken(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_SEEKER);
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t,
        "update account set phone = '+15550004444', is_phone_verified = true"
        " where user_id = '%s'",
        owner.user_id);
    UpdateMeRequest req = UPDATE_ME_REQUEST_INIT;
    SET(req, phone, PHONE, "+15550004444");
    assert_reason(call_as(t, &who, UPDATE_ME, &req), RPC_ALREADY_EXISTS,
                  "PHONE_TAKEN");
}

static void what_cannot_be_is_told_by_field(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    UpdateMeRequest req = UPDATE_ME_REQUEST_INIT;
    SET(req, full_name, FULL_NAME, " ");
    assert_field_violation(call_as(t, &who, UPDATE_ME, &req), "full_name");
    req = (UpdateMeRequest)UPDATE_ME_REQUEST_INIT;
    SET(req, phone, PHONE, "12345");
    assert_field_violation(call_as(t, &who, UPDATE_ME, &req), "phone");
    req = (UpdateMeRequest)UPDATE_ME_REQUEST_INIT;
    SET(req, avatar_url, AVATAR_URL, "javascript:alert(1)");
    assert_field_violation(call_as(t, &who, UPDATE_ME, &req), "avatar_url");
    req = (UpdateMeRequest)UPDATE_ME_REQUEST_INIT;
    SET(req, years_of_experience, YEARS_OF_EXPERIENCE, 81);
    assert_field_violation(call_as(t, &who, UPDATE_ME, &req),
                           "years_of_experience");
    req = (UpdateMeRequest)UPDATE_ME_REQUEST_INIT;
    SET(req, timezone, TIMEZONE, "Mars/Olympus");
    assert_reason(call_as(t, &who, UPDATE_ME, &req), RPC_INVALID_ARGUMENT,
                  "TIMEZONE_UNKNOWN");
    req = (UpdateMeRequest)UPDATE_ME_REQUEST_INIT;
    Money rate = MONEY_INIT;
    rate.amount_minor = -1;
    rate.currency = "USD";
    req.hourly_rate = &rate;
    assert_field_violation(call_as(t, &who, UPDATE_ME, &req), "hourly_rate");
    rate.amount_minor = 1;
    rate.currency = "QQQ";
    assert_field_violation(call_as(t, &who, UPDATE_ME, &req),
                           "hourly_rate.currency");
}

static void an_account_keeps_one_contact(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    sql(t,
        "update account set phone = '+15550005555', email = null where"
        " user_id = '%s'",
        who.user_id);
    UpdateMeRequest req = UPDATE_ME_REQUEST_INIT;
    SET(req, phone, PHONE, "");
    assert_field_violation(call_as(t, &who, UPDATE_ME, &req), "phone");
}

static void a_profile_fills_up(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_SEEKER);
    int before = get_me(t, &who)->profile->completeness;
    UpdateMeRequest req = UPDATE_ME_REQUEST_INIT;
    LatLng at = LAT_LNG_INIT;
    SET(req, city, CITY, "Oran");
    SET(req, country, COUNTRY, "DZ");
    SET(req, location, LOCATION, "Oran");
    SET(req, activity_type, ACTIVITY_TYPE, "Retail");
    SET(req, avatar_url, AVATAR_URL, "https://img.example.org/1.png");
    req.coordinates = &at;
    const UpdateMeResponse *res =
        ANSWER(UpdateMeResponse, call_as(t, &who, UPDATE_ME, &req));
    assert_int_equal(before, 25);
    assert_int_equal(res->profile->completeness, 100);
}

/* -- GetUser ------------------------------------------------------------- */

static void everybody_sees_a_public_profile(void **state)
{
    fixture *t = *state;
    struct person who = person(t, USER_TYPE_PROVIDER);
    sql(t, "update account set phone = '+15550006666' where user_id = '%s'",
        who.user_id);
    GetUserRequest req = GET_USER_REQUEST_INIT;
    req.user_id = (char *)who.user_id;
    const GetUserResponse *res =
        ANSWER(GetUserResponse, call_as(t, NULL, GET_USER, &req));
    assert_string_equal(res->user->full_name, who.full_name);
    assert_int_equal(res->user->user_type, USER_TYPE_PROVIDER);
    assert_non_null(res->user->member_since_time);
}

/* No field of the message, present or future, may hold a contact. */
static void a_public_profile_has_no_contact(void **state)
{
    (void)state;
    static const char *const secrets[] = {"email", "phone", "username",
                                          "coordinates", "last_login_time"};
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++)
        assert_null(protobuf_c_message_descriptor_get_field_by_name(
            PUBLIC_USER_DESCRIPTOR, secrets[i]));
}

static void who_is_not_active_is_not_found(void **state)
{
    fixture *t = *state;
    struct person who = pending_person(t, USER_TYPE_SEEKER);
    GetUserRequest req = GET_USER_REQUEST_INIT;
    req.user_id = (char *)who.user_id;
    assert_code(call_as(t, NULL, GET_USER, &req), RPC_NOT_FOUND);
    req.user_id = "00000000-0000-7000-8000-000000000000";
    assert_code(call_as(t, NULL, GET_USER, &req), RPC_NOT_FOUND);
    req.user_id = "me";
    assert_field_violation(call_as(t, NULL, GET_USER, &req), "user_id");
}

TEST_MAIN("user", TEST(a_provider_sees_account_profile_business_and_counters),
          TEST(a_seeker_has_no_business), TEST(a_pending_account_sees_itself),
          TEST(nobody_is_nobody), TEST(a_read_mask_leaves_the_rest_out),
          TEST(my_page_shows_my_services_that_others_find),
          TEST(what_is_set_is_changed_and_the_rest_stays),
          TEST(a_mask_picks_fields_and_empties_what_is_not_set),
          TEST(fields_follow_the_user_type),
          TEST(a_new_phone_number_is_not_verified),
          TEST(a_verified_phone_number_is_taken),
          TEST(what_cannot_be_is_told_by_field),
          TEST(an_account_keeps_one_contact), TEST(a_profile_fills_up),
          TEST(everybody_sees_a_public_profile),
          TEST(a_public_profile_has_no_contact),
          TEST(who_is_not_active_is_not_found))
