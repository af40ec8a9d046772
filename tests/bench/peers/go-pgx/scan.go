package main

import (
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgtype/zeronull"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "prbal.test/api/prbal/v1"
)

// An enum is in the database what it is called in the .proto, without the
// prefix.
type enumNames struct {
	numbers map[string]int32
	names   map[int32]string
}

func enumOf(names map[int32]string, prefix string) enumNames {
	e := enumNames{make(map[string]int32), make(map[int32]string)}
	for number, name := range names {
		short := strings.TrimPrefix(name, prefix)
		e.numbers[short] = number
		e.names[number] = short
	}
	return e
}

var (
	userTypes          = enumOf(pb.UserType_name, "USER_TYPE_")
	serviceKinds       = enumOf(pb.ServiceKind_name, "SERVICE_KIND_")
	serviceStatuses    = enumOf(pb.ServiceStatus_name, "SERVICE_STATUS_")
	pricingUnits       = enumOf(pb.PricingUnit_name, "PRICING_UNIT_")
	durationUnits      = enumOf(pb.DurationUnit_name, "DURATION_UNIT_")
	deliveryMethods    = enumOf(pb.DeliveryMethod_name, "DELIVERY_METHOD_")
	occurrences        = enumOf(pb.Occurrence_name, "OCCURRENCE_")
	moderationStatuses = enumOf(pb.ModerationStatus_name, "MODERATION_STATUS_")
	paymentPolicies    = enumOf(pb.PaymentPolicy_name, "PAYMENT_POLICY_")
	paymentStatuses    = enumOf(pb.PaymentStatus_name, "PAYMENT_STATUS_")
	bidOrigins         = enumOf(pb.BidOrigin_name, "BID_ORIGIN_")
	bidStatuses        = enumOf(pb.BidStatus_name, "BID_STATUS_")
	bookingOrigins     = enumOf(pb.BookingOrigin_name, "BOOKING_ORIGIN_")
	bookingStatuses    = enumOf(pb.BookingStatus_name, "BOOKING_STATUS_")
	messageTypes       = enumOf(pb.MessageType_name, "MESSAGE_TYPE_")
	roomKinds          = enumOf(pb.ChatRoomKind_name, "CHAT_ROOM_KIND_")
	notificationTypes  = enumOf(pb.NotificationType_name, "NOTIFICATION_TYPE_")
)

// Where a column of enum names goes.
type enumTarget[E ~int32] struct {
	to   *E
	enum *enumNames
}

func toEnum[E ~int32](to *E, enum *enumNames) enumTarget[E] { return enumTarget[E]{to, enum} }

func (t enumTarget[E]) ScanText(v pgtype.Text) error {
	number, ok := t.enum.numbers[v.String]
	if v.Valid && !ok {
		return fmt.Errorf("%q is no name of a %T", v.String, *t.to)
	}
	*t.to = E(number)
	return nil
}

// Where a timestamptz goes; null leaves it nil.
type timeTarget struct{ to **timestamppb.Timestamp }

func (t timeTarget) ScanTimestamptz(v pgtype.Timestamptz) error {
	if v.Valid {
		*t.to = timestamppb.New(v.Time)
	}
	return nil
}

// Where a text or a uuid goes; null leaves it empty.
func toText(to *string) *zeronull.Text { return (*zeronull.Text)(to) }

// For a column that takes null where a field is empty.
func textOrNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func timeOrNull(t *timestamppb.Timestamp) any {
	if t == nil {
		return nil
	}
	return t.AsTime()
}

// The columns of a UserSummary: id, name, type, avatar, rating, reviews.
func toSummary(u *pb.UserSummary) []any {
	return []any{&u.UserId, &u.FullName, toEnum(&u.UserType, &userTypes),
		toText(&u.AvatarUrl), &u.RatingAvg, (*zeronull.Int4)(&u.TotalReviews)}
}
