#ifndef PRBAL_TESTS_LISTINGS_H
#define PRBAL_TESTS_LISTINGS_H

#include "prbal/v1/listing.rpc.h"
#include "tests/testkit/testkit.h"

/* Services as requests make them, and what SQL adds.  Those with `try` may be
 * refused; the others end the test when they are.  All lives in the fixture's
 * arena. */

/* The id of a seeded category. */
const char *category(fixture *t, const char *slug);

Money *money(fixture *t, int64_t amount_minor, const char *currency);

/* A request that makes a good service. */
CreateServiceRequest leaking_tap(fixture *t);

const Service *create_service(fixture *t, const struct person *who,
                              const CreateServiceRequest *req);
struct rpc_reply try_get_service(fixture *t, const struct person *who,
                                 const char *service_id);
const Service *read_service(fixture *t, const struct person *who,
                            const char *service_id);
struct rpc_reply try_delete_service(fixture *t, const struct person *who,
                                    const char *service_id);

/* A live bid on the service by somebody new. */
struct person bidder_on(fixture *t, const Service *service);

/* How many notifications of this type somebody has. */
int64_t notices(fixture *t, const struct person *who, const char *type);

/* A booking of the service by SQL, in the state `status`. */
void book_service(fixture *t, const Service *service,
                  const struct person *seeker, const char *status);

/* A service by SQL; `columns` and `values` add to it: ", city", ", 'X'". */
const char *post(fixture *t, const struct person *owner, const char *kind,
                 const char *title, const char *columns, const char *values);

/* Titles of what a list answered: "alpha beta". */
const char *titles(fixture *t, size_t count, Service *const *services);

/* ListServices: its filter, its request, its answer, and the titles in it. */
ServiceFilter owned_by(const struct person *owner);
ListServicesRequest list_of(ServiceKind kind, ServiceFilter *filter);
const ListServicesResponse *list(fixture *t, const struct person *who,
                                 const ListServicesRequest *req);
const char *listed(fixture *t, const struct person *who,
                   const ListServicesRequest *req);

#endif
