package rig

import (
	"context"

	pb "prbal.test/api/prbal/v1"
)

// Deal is a service as a promise needs it.
type Deal struct {
	Title   string // 5 characters and more
	Minor   int64  // the price in cents; 10,000 when 0
	Instant bool   // a booking is confirmed at once
}

func (d Deal) request(kind pb.ServiceKind, category string) *pb.CreateServiceRequest {
	minor := d.Minor
	if minor == 0 {
		minor = 10_000
	}
	return &pb.CreateServiceRequest{
		RequestId: NewID(), Kind: kind, Title: d.Title, Description: "As the title says.",
		CategoryIds: []string{category}, InstantBook: d.Instant,
		Price:         &pb.Money{AmountMinor: minor, Currency: "USD"},
		PaymentPolicy: pb.PaymentPolicy_PAYMENT_POLICY_OFFLINE,
	}
}

// Offer is a service that its owner, a provider, offers; the answer is its id.
func (c *Cluster) Offer(client *Client, owner *Person, deal Deal) (string, error) {
	return c.create(client, owner, deal.request(pb.ServiceKind_SERVICE_KIND_OFFERED, c.category()))
}

// Need is one that its owner, a seeker, asks for.
func (c *Cluster) Need(client *Client, owner *Person, deal Deal) (string, error) {
	return c.create(client, owner, c.NeedRequest(deal))
}

// NeedRequest is what Need sends, for who retries in another way.
func (c *Cluster) NeedRequest(deal Deal) *pb.CreateServiceRequest {
	return deal.request(pb.ServiceKind_SERVICE_KIND_NEEDED, c.category())
}

func (c *Cluster) create(client *Client, owner *Person, request *pb.CreateServiceRequest) (string, error) {
	answer, err := Until(c.trial.Context(), func(ctx context.Context) (*pb.CreateServiceResponse, error) {
		return client.Listings.CreateService(owner.In(ctx), request)
	})
	if err != nil {
		return "", err
	}
	return answer.Service.ServiceId, nil
}

// Any category that every installation has.
func (c *Cluster) category() string {
	c.once.Do(func() {
		err := c.Database.SQL().QueryRow(c.trial.Context(),
			"select category_id::text from category order by slug limit 1").Scan(&c.anyCategory)
		if err != nil {
			panic(err)
		}
	})
	return c.anyCategory
}
