from django.db.models import Func, Q, Value
from django.db.models.functions import Lower
from django.shortcuts import get_object_or_404
from rest_framework.exceptions import NotAuthenticated, PermissionDenied
from rest_framework.permissions import IsAuthenticated
from rest_framework.response import Response
from rest_framework.views import APIView

import pages
from listings import viewed
from listings.models import Bid, Category, Service
from listings.serializers import (
    BrowseQuerySerializer,
    NearbyQuerySerializer,
    ServiceSerializer,
)


def read_query(serializer, request):
    query = serializer(data=request.query_params)
    query.is_valid(raise_exception=True)
    return query.validated_data


def total_of(services):
    return services[: pages.TOTAL_MAX].count()


def page_answer(rows, size, total, key, caller):
    """`rows` is one more than a page when there is a next one."""
    token = ""
    if len(rows) > size:
        rows = rows[:size]
        token = pages.token(total, key(rows[-1]), rows[-1].service_id)
    services = ServiceSerializer(rows, many=True, context={"caller": caller})
    return Response(
        {"services": services.data, "nextPageToken": token, "totalSize": total}
    )


class GetService(APIView):
    def get(self, request, service_id):
        caller = request.user
        services = Service.objects.located().visible_to(caller)
        service = get_object_or_404(services, service_id=service_id)
        own_bid_id = None
        if caller.is_authenticated and caller.id != service.owner_id:
            viewed.add(service_id, caller.id)
            if service.kind == "NEEDED" and caller.provides:
                own_bid_id = self.own_bid_id(service_id, caller.id)
        answer = ServiceSerializer(service, context={"caller": caller})
        return Response({"service": answer.data, "ownBidId": own_bid_id})

    def own_bid_id(self, service_id, provider_id):
        bids = Bid.objects.filter(service_id=service_id, provider_id=provider_id)
        newest = bids.order_by("-created_at", "-bid_id")
        return newest.values_list("bid_id", flat=True).first()


class Browse(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        query = read_query(BrowseQuerySerializer, request)
        size = query["page_size"]
        services = self.feed(request.user, query)
        rows = services.located().order_by("-created_at", "-service_id")[: size + 1]
        return page_answer(
            list(rows), size, total_of(services),
            lambda last: pages.micros(last.created_at), request.user,
        )

    def feed(self, caller, query):
        services = Service.objects.open().exclude(owner_id=caller.id)
        services = self.of_view(services, self.pick_view(caller, query["view"]))
        if query["city"]:
            services = services.annotate(lower_city=Lower("city")).filter(
                lower_city=query["city"].lower()
            )
        if query["category_id"] or query["category_slug"]:
            services = services.filter(category_ids__overlap=self.family(query))
        return services

    def pick_view(self, caller, view):
        if caller.seeks and caller.provides:
            return view
        own = "OFFERED" if caller.seeks else "NEEDED" if caller.provides else "COURSES"
        if view not in (None, own):
            raise PermissionDenied("your account does not have this view")
        return own

    def of_view(self, services, view):
        if view is None:
            return services
        if view == "NEEDED":
            return services.filter(kind="NEEDED")
        return services.filter(kind="OFFERED", is_course=view == "COURSES")

    def family(self, query):
        """The category and its children."""
        if query["category_id"]:
            named = Q(category_id=query["category_id"]) | Q(parent_id=query["category_id"])
        else:
            named = Q(slug=query["category_slug"]) | Q(parent__slug=query["category_slug"])
        found = Category.objects.filter(named, is_active=True)
        return list(found.values_list("category_id", flat=True))


class Nearby(APIView):
    def get(self, request):
        query = read_query(NearbyQuerySerializer, request)
        if query["kind"] == "NEEDED" and not request.user.provides:
            self.refuse(request.user)
        size, radius_m = query["page_size"], query["radius_m"]
        point = Func(
            Value(query["longitude"]), Value(query["latitude"]),
            template="ST_Point(%(expressions)s)::geography",
        )
        services = Service.objects.open().filter(kind=query["kind"])
        rows = services.located().by_distance(point)[: size + 1]
        rows = [service for service in rows if service.distance_m <= radius_m]
        return page_answer(
            rows, size, total_of(services.within(point, radius_m)),
            lambda last: f"{last.distance_m:.17g}", request.user,
        )

    def refuse(self, caller):
        if caller.is_authenticated:
            raise PermissionDenied("only providers list what is needed")
        raise NotAuthenticated("sign in to see what is needed")
