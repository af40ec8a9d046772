#include "prbal/v1/listing.rpc.h"
#include "tests/testkit/testkit.h"

#include <math.h>

#define NEARBY "/prbal.v1.ListingService/ListNearbyServices"

/* Distances along the sphere from Algiers (36.7538 N, 3.0588 E), computed by
 * the haversine formula with a radius of 6371.0088 km. */
static const struct city {
    const char *name;
    double latitude, longitude, km;
} cities[] = {
    {"Algiers", 36.7538, 3.0588, 0.0},      {"Blida", 36.4700, 2.8277, 37.70},
    {"Tizi Ouzou", 36.7169, 4.0497, 88.40}, {"Setif", 36.1898, 5.4108, 219.45},
    {"Oran", 35.6971, -0.6308, 351.17},
};
enum { CITIES = sizeof cities / sizeof *cities };

static const char *post(fixture *t, const struct person *owner,
                        const char *kind, const char *title, double latitude,
                        double longitude)
{
    return text(t,
                "insert into service (owner_id, kind, title, description,"
                " category_ids, price_minor, price_currency, coordinates)"
                " select '%s', '%s', '%s', 'Words', array[category_id], 5000,"
                " 'DZD', st_point(%f, %f) from category"
                " where slug = 'plumbing' returning service_id",
                owner->user_id, kind, title, longitude, latitude);
}

static struct person in_all_cities(fixture *t)
{
    struct person owner = person(t, USER_TYPE_PROVIDER);
    for (int i = CITIES - 1; i >= 0; i--)
        post(t, &owner, "OFFERED",
             arena_printf(t->arena, "In %s", cities[i].name),
             cities[i].latitude, cities[i].longitude);
    return owner;
}

/* Around Algiers, by one owner. */
struct search {
    ListNearbyServicesRequest req;
    LatLng point;
    ServiceFilter filter;
};

static struct search *around_algiers(fixture *t, const struct person *owner,
                                     double radius_km)
{
    struct search *s = ARENA_NEW(t->arena, struct search);
    s->req = (ListNearbyServicesRequest)LIST_NEARBY_SERVICES_REQUEST_INIT;
    s->point = (LatLng)LAT_LNG_INIT;
    s->filter = (ServiceFilter)SERVICE_FILTER_INIT;
    s->point.latitude = cities[0].latitude;
    s->point.longitude = cities[0].longitude;
    s->filter.owner_id = owner->user_id;
    s->req.point = &s->point;
    s->req.filter = &s->filter;
    s->req.radius_km = radius_km;
    return s;
}

static const ListNearbyServicesResponse *nearby(fixture *t,
                                                const struct person *who,
                                                const struct search *s)
{
    return ANSWER(ListNearbyServicesResponse, call_as(t, who, NEARBY, &s->req));
}

static void services_come_nearest_first_with_their_distance(void **state)
{
    fixture *t = *state;
    struct person owner = in_all_cities(t);
    struct search *s = around_algiers(t, &owner, 200);
    const ListNearbyServicesResponse *res = nearby(t, NULL, s);

    assert_int_equal(res->n_services, 3);
    assert_int_equal(res->total_size, 3);
    for (size_t i = 0; i < res->n_services; i++) {
        const Service *service = res->services[i];
        assert_string_equal(service->title,
                            arena_printf(t->arena, "In %s", cities[i].name));
        assert_int_equal(service->_distance_km_case, SERVICE_DISTANCE_KM_CASE);
        if (fabs(service->distance_km - cities[i].km) > 0.05)
            fail_msg("%s is %f km away", service->title, service->distance_km);
    }
}

static void the_radius_is_ten_kilometres_unless_told(void **state)
{
    fixture *t = *state;
    struct person owner = in_all_cities(t);
    static const struct {
        double radius_km;
        size_t count;
    } cases[] = {{0, 1}, {10, 1}, {37, 1}, {39, 2}, {88, 2}, {89.5, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct search *s = around_algiers(t, &owner, cases[i].radius_km);
        const ListNearbyServicesResponse *res = nearby(t, NULL, s);
        assert_int_equal(res->n_services, cases[i].count);
        assert_int_equal(res->total_size, (int64_t)cases[i].count);
    }
}

static void a_filter_and_a_kind_narrow_it(void **state)
{
    fixture *t = *state;
    struct person owner = in_all_cities(t);
    struct person provider = person(t, USER_TYPE_PROVIDER);
    struct person seeker = person(t, USER_TYPE_SEEKER);
    post(t, &owner, "NEEDED", "Needed here", 36.75, 3.05);
    struct search *s = around_algiers(t, &owner, 200);
    s->filter.search = "blida";
    assert_int_equal(nearby(t, NULL, s)->n_services, 1);
    s->filter.search = "";
    s->req.kind = SERVICE_KIND_NEEDED;
    const ListNearbyServicesResponse *res = nearby(t, &provider, s);
    assert_int_equal(res->n_services, 1);
    assert_string_equal(res->services[0]->title, "Needed here");
    assert_code(call_as(t, &seeker, NEARBY, &s->req), RPC_PERMISSION_DENIED);
    assert_code(call_as(t, NULL, NEARBY, &s->req), RPC_UNAUTHENTICATED);
}

enum { TIED = 17 };

static void services_at_one_place_are_paged_once_each(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    const char *ids[TIED];
    int seen[TIED] = {0};
    for (int i = 0; i < TIED; i++)
        ids[i] = post(t, &owner, "OFFERED", "Same place", 36.76, 3.06);
    struct search *s = around_algiers(t, &owner, 10);
    s->req.page_size = 3;
    for (int pages = 0; pages < 10; pages++) {
        const ListNearbyServicesResponse *res = nearby(t, NULL, s);
        for (size_t i = 0; i < res->n_services; i++)
            for (int j = 0; j < TIED; j++)
                seen[j] += strcmp(ids[j], res->services[i]->service_id) == 0;
        s->req.page_token = res->next_page_token;
        if (s->req.page_token[0] == '\0')
            break;
        post(t, &owner, "OFFERED", "Nearer by now", 36.7539, 3.0589);
    }
    assert_string_equal(s->req.page_token, "");
    for (int i = 0; i < TIED; i++)
        assert_int_equal(seen[i], 1);
}

static void the_far_side_of_the_date_line_is_near(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    post(t, &owner, "OFFERED", "Just across", -16.8, -179.95);
    struct search *s = around_algiers(t, &owner, 50);
    s->point.latitude = -16.8;
    s->point.longitude = 179.95;
    const ListNearbyServicesResponse *res = nearby(t, NULL, s);
    assert_int_equal(res->n_services, 1);
    assert_int_equal(res->total_size, 1);
    assert_true(fabs(res->services[0]->distance_km - 10.64) < 0.1);
}

static void bad_circles_name_their_field(void **state)
{
    fixture *t = *state;
    struct person owner = person(t, USER_TYPE_PROVIDER);
    struct search *s = around_algiers(t, &owner, 200.5);
    assert_field_violation(call_as(t, NULL, NEARBY, &s->req), "radius_km");
    s = around_algiers(t, &owner, -1);
    assert_field_violation(call_as(t, NULL, NEARBY, &s->req), "radius_km");
    s = around_algiers(t, &owner, (double)NAN);
    assert_field_violation(call_as(t, NULL, NEARBY, &s->req), "radius_km");
    s = around_algiers(t, &owner, 10);
    s->req.point = NULL;
    assert_field_violation(call_as(t, NULL, NEARBY, &s->req), "point");
    s->req.point = &s->point;
    s->point.latitude = -90.5;
    assert_field_violation(call_as(t, NULL, NEARBY, &s->req), "point.latitude");
    s->point.latitude = (double)NAN;
    assert_field_violation(call_as(t, NULL, NEARBY, &s->req), "point.latitude");
    s->point.latitude = 36;
    s->filter.near = &s->point;
    assert_field_violation(call_as(t, NULL, NEARBY, &s->req), "filter.near");
}

TEST_MAIN("nearby", TEST(services_come_nearest_first_with_their_distance),
          TEST(the_radius_is_ten_kilometres_unless_told),
          TEST(a_filter_and_a_kind_narrow_it),
          TEST(services_at_one_place_are_paged_once_each),
          TEST(the_far_side_of_the_date_line_is_near),
          TEST(bad_circles_name_their_field))
