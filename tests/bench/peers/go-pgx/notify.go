package main

import (
	"github.com/jackc/pgx/v5"

	pb "prbal.test/api/prbal/v1"
)

const (
	titleCharactersMax   = 255
	messageCharactersMax = 2000
)

// What one user is to be told.
type notice struct {
	recipientID, senderID string
	kind                  pb.NotificationType
	title, message        string
	objectType, objectID  string
	serviceID, bidID      string
	messageID             string
}

var objectFolders = map[string]string{"Bid": "bids", "Booking": "bookings", "ChatRoom": "chat"}

const notificationInsert = `
insert into notification
       (recipient_id, type, title, message, related_object_type,
        related_object_id, service_id, bid_id, message_id, sender_id, link)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
returning notification_id, created_at`

// The unread notification of a room's messages tells of the latest one.
const notificationRenew = `
update notification
   set title = $3,
       message = $4,
       message_id = $5,
       sender_id = $6,
       updated_at = now()
 where recipient_id = $1
   and related_object_id = $2
   and type = 'MESSAGE'
   and read_at is null`

func cut(text string, charactersMax int) string {
	characters := 0
	for i := range text {
		if characters == charactersMax {
			return text[:i]
		}
		characters++
	}
	return text
}

func (n *notice) notification() *pb.Notification {
	return &pb.Notification{
		Type:              n.kind,
		Title:             cut(n.title, titleCharactersMax),
		Message:           cut(n.message, messageCharactersMax),
		RelatedObjectType: n.objectType,
		RelatedObjectId:   n.objectID,
		ServiceId:         n.serviceID,
		BidId:             n.bidID,
		MessageId:         n.messageID,
		SenderId:          n.senderID,
		Link:              "/" + objectFolders[n.objectType] + "/" + n.objectID,
	}
}

// Queues the notification; tell() after the flush makes its event. Nobody is
// told of what they did themselves: nil.
func (u *unit) notify(n *notice) *pb.Notification {
	if n.senderID == n.recipientID {
		return nil
	}
	made := n.notification()
	u.queue(notificationInsert, n.recipientID, notificationTypes.names[int32(n.kind)], made.Title, made.Message,
		textOrNull(n.objectType), textOrNull(n.objectID), textOrNull(n.serviceID), textOrNull(n.bidID),
		textOrNull(n.messageID), textOrNull(n.senderID), made.Link).QueryRow(func(row pgx.Row) error {
		return row.Scan(&made.NotificationId, timeTarget{&made.CreateTime})
	})
	return made
}

func (u *unit) tell(recipientID string, made *pb.Notification) {
	if made != nil {
		u.events.add("NOTIFICATION",
			&pb.Event{Payload: &pb.Event_NewNotification{NewNotification: made}}, recipientID)
	}
}
