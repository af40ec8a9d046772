"""The reads of ListingService. Of the filters those that are measured are here:
categories and a city."""
import uuid

import grpc

import messages
import pages
import statements
from prbal.v1 import listing_pb2, listing_pb2_grpc
from tokens import ADMIN, PROVIDER, SEEKER, InvalidToken

RADIUS_KM_DEFAULT = 10

VIEW_OFFERED = listing_pb2.BROWSE_VIEW_OFFERED
VIEW_NEEDED = listing_pb2.BROWSE_VIEW_NEEDED
VIEW_COURSES = listing_pb2.BROWSE_VIEW_COURSES
KIND_NAMES = {number: name for name, number in messages.KINDS.items()}


class Listings(listing_pb2_grpc.ListingServiceServicer):
    def __init__(self, pool, tokens, views):
        self.pool = pool
        self.tokens = tokens
        self.views = views

    async def caller_of(self, context):
        metadata = dict(context.invocation_metadata())
        try:
            return self.tokens.read(metadata.get("authorization"))
        except InvalidToken as error:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, str(error))

    async def GetService(self, request, context):
        caller = await self.caller_of(context)
        try:
            service_id = uuid.UUID(request.service_id)
        except ValueError:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "service_id must be a UUID"
            )
        is_admin = caller.can(ADMIN)
        row = await self.pool.fetchrow(
            statements.BY_ID, caller.user_id, is_admin, service_id
        )
        if row is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, "service not found")
        answer = listing_pb2.GetServiceResponse(
            service=messages.service(row, caller.user_id, is_admin)
        )
        if caller.user_id not in (None, answer.service.owner.user_id):
            self.views.add(service_id, caller.user_id)
            if row["kind"] == "NEEDED" and caller.can(PROVIDER):
                bid_id = await self.pool.fetchval(
                    statements.OWN_BID, service_id, caller.user_id
                )
                answer.own_bid_id = "" if bid_id is None else str(bid_id)
        return answer

    async def BrowseServices(self, request, context):
        caller = await self.caller_of(context)
        if caller.user_id is None:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "sign in first")
        where = statements.Where(caller.user_id)
        await self.add_view(where, caller, request.view, context)
        where.add("s.owner_id <> {}::uuid", caller.user_id)
        async with self.pool.acquire() as connection:
            await self.add_filter(connection, where, request.filter)
            total = await self.count(connection, where)
            size = request.page_size or pages.DEFAULT_SIZE
            statement = statements.newest(where, size + 1)
            rows = await connection.fetch(statement, *where.arguments)
        answer = listing_pb2.BrowseServicesResponse(
            services=self.services(rows[:size], caller), total_size=total
        )
        if len(rows) > size:
            last = rows[size - 1]
            answer.next_page_token = pages.token(
                total, pages.micros(last["created_at"]), last["service_id"]
            )
        return answer

    async def ListNearbyServices(self, request, context):
        caller = await self.caller_of(context)
        kind = KIND_NAMES[request.kind or listing_pb2.SERVICE_KIND_OFFERED]
        if kind == "NEEDED" and not caller.can(PROVIDER):
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED
                if caller.user_id
                else grpc.StatusCode.UNAUTHENTICATED,
                "only providers list what is needed",
            )
        point = request.point
        radius_m = (request.radius_km or RADIUS_KM_DEFAULT) * 1000
        size = request.page_size or pages.DEFAULT_SIZE
        where = statements.Where(caller.user_id)
        where.add("s.kind = {}", kind)
        async with self.pool.acquire() as connection:
            await self.add_filter(connection, where, request.filter)
            total = await self.count_near(connection, where, point, radius_m)
            statement = statements.nearest(
                where, point.latitude, point.longitude, radius_m, size + 1
            )
            rows = await connection.fetch(statement, *where.arguments)
        answer = listing_pb2.ListNearbyServicesResponse(
            services=self.services(rows[:size], caller, is_near=True), total_size=total
        )
        if len(rows) > size:
            last = rows[size - 1]
            answer.next_page_token = pages.token(
                total, f"{last['distance_m']:.17g}", last["service_id"]
            )
        return answer

    async def add_view(self, where, caller, view, context):
        """What a caller may browse: needed work, offers, or courses."""
        seeks, provides = caller.can(SEEKER), caller.can(PROVIDER)
        if not (seeks and provides):
            own = VIEW_OFFERED if seeks else VIEW_NEEDED if provides else VIEW_COURSES
            if view not in (0, own):
                await context.abort(
                    grpc.StatusCode.PERMISSION_DENIED,
                    "your account does not have this view",
                )
            view = own
        if view == VIEW_NEEDED:
            where.add("s.kind = 'NEEDED'")
        elif view != 0:
            where.add("s.kind = 'OFFERED'")
            where.add("s.is_course" if view == VIEW_COURSES else "not s.is_course")

    async def add_filter(self, connection, where, chosen):
        if chosen.category_ids or chosen.category_slug:
            rows = await connection.fetch(
                statements.CATEGORY_FAMILY,
                list(chosen.category_ids),
                chosen.category_slug or None,
            )
            where.add("s.category_ids && {}::uuid[]", [row[0] for row in rows])
        if chosen.city:
            where.add("lower(s.city) = lower({})", chosen.city)

    async def count(self, connection, where):
        arguments = len(where.arguments)
        statement = statements.count(where, pages.TOTAL_MAX)
        total = await connection.fetchval(statement, *where.arguments)
        del where.arguments[arguments:]
        return total

    async def count_near(self, connection, where, point, radius_m):
        near = statements.Where(where.arguments[0])
        near.arguments, near.conditions = where.arguments[:], where.conditions[:]
        near.add(
            "st_dwithin(s.coordinates, st_point({}::float8, {}::float8)::geography,"
            " {}::float8, false)",
            point.longitude,
            point.latitude,
            radius_m,
        )
        return await self.count(connection, near)

    def services(self, rows, caller, is_near=False):
        is_admin = caller.can(ADMIN)
        return [
            messages.service(
                row, caller.user_id, is_admin, row["distance_m"] / 1000 if is_near else None
            )
            for row in rows
        ]
