package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "prbal.test/api/prbal/v1"
)

const previewCharacters = 200

type chatServer struct {
	pb.UnimplementedChatServiceServer
	*store
}

// The room's row is held until the end of the transaction: its messages are
// written one after the other.
const roomLock = `
select r.kind, r.name
  from room_member m
  join chat_room r on r.room_id = m.room_id and r.is_active
 where m.room_id = $1
   and m.user_id = $2
   and m.left_at is null
   for no key update of r`

const roomMembers = `
select m.user_id, a.full_name,
       coalesce(m.muted_until > now(), false)
  from room_member m
  join account a on a.user_id = m.user_id
 where m.room_id = $1
   and m.left_at is null
 order by m.user_id
 limit 1000`

// A message `c` as every member sees it. In the order of scanMessage.
const messageColumns = `
       c.message_id, c.room_id, c.seq, c.sender_id, sender.full_name,
       sender.user_type, sp.avatar_url, sp.rating_avg, sp.total_reviews,
       c.message_type,
       case when c.deleted_at is null then c.content
            else 'This message has been deleted'
        end,
       c.reply_to_id, c.client_message_id, c.edited_at is not null,
       c.deleted_at is not null,
       not exists (select 1
                     from room_member o
                    where o.room_id = c.room_id
                      and o.user_id <> c.sender_id
                      and o.left_at is null
                      and o.read_seq < c.seq),
       c.sent_at, c.edited_at`

const messagePeople = `
  join account sender on sender.user_id = c.sender_id
  left join profile sp on sp.user_id = c.sender_id`

const messageByClientID = "select" + messageColumns + " from chat_message c" + messagePeople + `
 where c.sender_id = $1
   and c.client_message_id = $2`

const messageInRoom = `
select
  from chat_message
 where room_id = $1
   and message_id = $2`

// Numbers and writes a message; roomLock has come before. A sender who had read
// everything has read this, too.
const messageInsert = `
with numbered as (
  update chat_room
     set last_seq = last_seq + 1,
         active_at = clock_timestamp(),
         updated_at = now()
   where room_id = $1
  returning room_id, last_seq, active_at
),
caught_up as (
  update room_member m
     set read_seq = n.last_seq,
         read_at = n.active_at
    from numbered n
   where m.room_id = n.room_id
     and m.user_id = $2
     and m.read_seq = n.last_seq - 1
),
c as (
  insert into chat_message
         (message_id, room_id, seq, sender_id, message_type, content,
          reply_to_id, client_message_id, sent_at)
  select $6, n.room_id, n.last_seq, $2, 'TEXT', $3, $4, $5, n.active_at
    from numbered n
  returning message_id, room_id, seq, sender_id, message_type, content,
            reply_to_id, client_message_id, sent_at, edited_at, deleted_at
)
select` + messageColumns + " from c" + messagePeople

func scanMessage(m *pb.ChatMessage) func(row pgx.Row) error {
	m.Sender = &pb.UserSummary{}
	return func(row pgx.Row) error {
		return row.Scan(slices.Concat(
			[]any{&m.MessageId, &m.RoomId, &m.Seq}, toSummary(m.Sender),
			[]any{toEnum(&m.MessageType, &messageTypes), &m.Content, toText(&m.ReplyToId),
				toText(&m.ClientMessageId), &m.IsEdited, &m.IsDeleted, &m.IsRead,
				timeTarget{&m.SendTime}, timeTarget{&m.EditTime}})...)
	}
}

type member struct {
	userID, fullName string
	isMuted          bool
}

// A room that is being written to.
type room struct {
	kind    pb.ChatRoomKind
	name    string
	members []member // in the order of their ids
}

// As a member sees it: a direct room is called after the other person.
func (r *room) nameFor(userID string) string {
	if r.name != "" {
		return r.name
	}
	for _, m := range r.members {
		if m.userID != userID {
			return m.fullName
		}
	}
	return ""
}

func (r *room) nameOf(userID string) string {
	for _, m := range r.members {
		if m.userID == userID {
			return m.fullName
		}
	}
	return "someone"
}

func (r *room) memberIDs() []string {
	ids := make([]string, len(r.members))
	for i, m := range r.members {
		ids[i] = m.userID
	}
	return ids
}

// What is known before the message is written.
type opened struct {
	room              room
	isMember, hasTwin bool
	hasOriginal       bool
	twin              *pb.ChatMessage
}

// One round trip: the lock, and what the checks need.
func (u *unit) openRoom(r *pb.SendMessageRequest, callerID string) (*opened, error) {
	o := &opened{twin: &pb.ChatMessage{}, hasOriginal: r.ReplyToId == ""}
	u.queueRow(&o.isMember, func(row pgx.Row) error {
		return row.Scan(toEnum(&o.room.kind, &roomKinds), toText(&o.room.name))
	}, roomLock, r.RoomId, callerID)
	if r.ClientMessageId != "" {
		u.queueRow(&o.hasTwin, scanMessage(o.twin), messageByClientID, callerID, r.ClientMessageId)
	}
	if r.ReplyToId != "" {
		u.queueRow(&o.hasOriginal, func(row pgx.Row) error { return row.Scan() }, messageInRoom, r.RoomId, r.ReplyToId)
	}
	u.queue(roomMembers, r.RoomId).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var m member
			if err := rows.Scan(&m.userID, &m.fullName, &m.isMuted); err != nil {
				return err
			}
			o.room.members = append(o.room.members, m)
		}
		return rows.Err()
	})
	return o, u.flush()
}

func isSame(stored *pb.ChatMessage, r *pb.SendMessageRequest) bool {
	return strings.EqualFold(stored.RoomId, r.RoomId) && strings.EqualFold(stored.ReplyToId, r.ReplyToId) &&
		(stored.IsEdited || stored.IsDeleted || stored.Content == r.Content)
}

func (o *opened) check(r *pb.SendMessageRequest) error {
	switch {
	case !o.isMember:
		return status.Error(codes.NotFound, "room not found")
	case o.hasTwin && !isSame(o.twin, r):
		return failReason(codes.AlreadyExists, "CLIENT_MESSAGE_ID_REUSED",
			fmt.Sprintf("client_message_id %s was used for another message", r.ClientMessageId))
	case !o.hasTwin && !o.hasOriginal:
		return status.Error(codes.FailedPrecondition,
			"the message that is replied to is not in this room")
	}
	return nil
}

func checkSendMessage(r *pb.SendMessageRequest) error {
	if err := checkUUID("room_id", r.RoomId); err != nil {
		return err
	}
	if r.ReplyToId != "" {
		if err := checkUUID("reply_to_id", r.ReplyToId); err != nil {
			return err
		}
	}
	if len(r.Content) > 8000*4 || len(r.ClientMessageId) > 64*4 || r.MessageType > 1 {
		return failField("content", "is too long")
	}
	if strings.Trim(r.Content, " \t\r\n") == "" {
		return failField("content", "must not be blank")
	}
	return nil
}

// The room's row is locked first: messages of a room are written one after the
// other, and a retry finds the message that its twin has just stored.
func (s *chatServer) SendMessage(ctx context.Context, r *pb.SendMessageRequest) (*pb.SendMessageResponse, error) {
	if err := checkSendMessage(r); err != nil {
		return nil, err
	}
	u, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer u.end()
	callerID := callerOf(ctx).id
	o, err := u.openRoom(r, callerID)
	if err != nil {
		return nil, err
	}
	if err := o.check(r); err != nil {
		return nil, err
	}
	if o.hasTwin {
		response := &pb.SendMessageResponse{Message: o.twin}
		return response, u.commit(response)
	}
	response := &pb.SendMessageResponse{Message: &pb.ChatMessage{}}
	if err := u.writeMessage(r, callerID, &o.room, response.Message); err != nil {
		return nil, err
	}
	return response, u.commit(response)
}

// The message and the notifications in two round trips at most: those of who has
// not read the last one are renewed with it.
func (u *unit) writeMessage(r *pb.SendMessageRequest, callerID string, in *room, m *pb.ChatMessage) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	var found bool
	u.queueRow(&found, scanMessage(m), messageInsert, r.RoomId, callerID, r.Content,
		textOrNull(r.ReplyToId), textOrNull(r.ClientMessageId), id)
	notices := in.notices(r, callerID, id.String())
	renewed := make([]int64, len(notices))
	for i, n := range notices {
		if n != nil {
			u.queueCount(&renewed[i], notificationRenew, n.recipientID, n.objectID,
				cut(n.title, titleCharactersMax), cut(n.message, messageCharactersMax), n.messageID, n.senderID)
		}
	}
	if err := u.flush(); err != nil {
		return err
	}
	return u.tellMembers(in, m, notices, renewed)
}

// For each member; nil for who is not to be notified.
func (in *room) notices(r *pb.SendMessageRequest, callerID, messageID string) []*notice {
	list := make([]*notice, len(in.members))
	sender := in.nameOf(callerID)
	text := cut(r.Content, previewCharacters)
	for i, m := range in.members {
		if m.userID == callerID || m.isMuted {
			continue
		}
		message := text // in a direct room the title names the person
		if in.kind != pb.ChatRoomKind_CHAT_ROOM_KIND_DIRECT {
			message = sender + " in " + in.nameFor(m.userID) + ": " + text
		}
		list[i] = &notice{
			recipientID: m.userID, senderID: callerID,
			kind:  pb.NotificationType_NOTIFICATION_TYPE_MESSAGE,
			title: "New message from " + sender, message: message,
			objectType: "ChatRoom", objectID: r.RoomId, messageID: messageID,
		}
	}
	return list
}

func (u *unit) tellMembers(in *room, m *pb.ChatMessage, notices []*notice, renewed []int64) error {
	made := make([]*pb.Notification, len(notices))
	isAny := false
	for i, n := range notices {
		if n != nil && renewed[i] == 0 {
			made[i] = u.notify(n)
			isAny = true
		}
	}
	if isAny {
		if err := u.flush(); err != nil {
			return err
		}
	}
	preview := &pb.MessagePreview{
		MessageId: m.MessageId, SenderId: m.Sender.UserId, Content: cut(m.Content, previewCharacters),
		MessageType: m.MessageType, SendTime: m.SendTime,
	}
	u.events.add("CHAT", &pb.Event{Payload: &pb.Event_ChatMessage{ChatMessage: m}}, in.memberIDs()...)
	for i, to := range in.members {
		u.events.addRoom(to.userID, &pb.RoomListUpdate{
			RoomId: m.RoomId, Kind: in.kind, RoomName: in.nameFor(to.userID),
			HasUnread: to.userID != m.Sender.UserId, LatestMessage: preview,
		})
		u.tell(to.userID, made[i])
	}
	return nil
}
