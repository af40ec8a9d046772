package main

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"os"
	"strings"

	"github.com/golang-jwt/jwt/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	"prbal.test/api/prbal"
	pb "prbal.test/api/prbal/v1"
)

// Who calls. The zero value is somebody who is not signed in.
type caller struct {
	id    string
	roles uint32 // a bit for each prbal.Role
}

func (c caller) is(role prbal.Role) bool { return c.roles&(1<<role) != 0 }
func (c caller) isAdmin() bool           { return c.is(prbal.Role_ROLE_ADMIN) }

// Null for who is not signed in.
func (c caller) idOrNull() any {
	if c.id == "" {
		return nil
	}
	return c.id
}

type callerKey struct{}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

// What Prbal's access tokens carry.
type claims struct {
	jwt.RegisteredClaims
	Type  string `json:"typ"`
	Roles uint32 `json:"caps"`
}

// Lets calls through as the .proto files say.
type gate struct {
	key    *ecdsa.PublicKey
	parser *jwt.Parser
	access map[string]uint32 // by method, a bit for each role that may call it
}

func newGate(keyFile string) (*gate, error) {
	pem, err := os.ReadFile(keyFile)
	if err != nil {
		return nil, err
	}
	key, err := jwt.ParseECPublicKeyFromPEM(pem)
	if err != nil {
		return nil, err
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256"}),
		jwt.WithIssuer("prbal"),
		jwt.WithAudience("prbal.v1"),
		jwt.WithExpirationRequired(),
	)
	access := make(map[string]uint32)
	for _, file := range []protoreflect.FileDescriptor{
		pb.File_prbal_v1_listing_proto, pb.File_prbal_v1_bid_proto, pb.File_prbal_v1_chat_proto,
	} {
		readAccess(file.Services(), access)
	}
	return &gate{key, parser, access}, nil
}

func readAccess(services protoreflect.ServiceDescriptors, access map[string]uint32) {
	for i := range services.Len() {
		service := services.Get(i)
		for j := range service.Methods().Len() {
			method := service.Methods().Get(j)
			options := method.Options().(*descriptorpb.MethodOptions)
			var roles uint32
			for _, role := range proto.GetExtension(options, prbal.E_Access).(*prbal.Access).Roles {
				roles |= 1 << role
			}
			access["/"+string(service.FullName())+"/"+string(method.Name())] = roles
		}
	}
}

func (g *gate) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	roles := g.access[info.FullMethod]
	c, err := g.authenticate(ctx, roles)
	if err != nil {
		return nil, err
	}
	const open = 1<<prbal.Role_ROLE_OPEN | 1<<prbal.Role_ROLE_PUBLIC
	if roles&(c.roles|open) == 0 {
		return nil, deny(c, roles)
	}
	return handler(context.WithValue(ctx, callerKey{}, c), request)
}

func (g *gate) authenticate(ctx context.Context, roles uint32) (caller, error) {
	header := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(header) == 0 || roles&(1<<prbal.Role_ROLE_OPEN) != 0 {
		return caller{}, nil
	}
	var found claims
	_, err := g.parser.ParseWithClaims(strings.TrimPrefix(header[0], "Bearer "), &found,
		func(*jwt.Token) (any, error) { return g.key, nil })
	if errors.Is(err, jwt.ErrTokenExpired) {
		return caller{}, failReason(codes.Unauthenticated, "TOKEN_EXPIRED",
			"the access token has expired; refresh it")
	}
	if err != nil || found.Type != "access" || found.Subject == "" {
		return caller{}, failReason(codes.Unauthenticated, "TOKEN_INVALID",
			"the access token is not valid")
	}
	return caller{found.Subject, found.Roles}, nil
}

// For "only ... may do this", in the order of the roles.
var roleNames = []struct {
	role prbal.Role
	name string
}{
	{prbal.Role_ROLE_SEEKER, "seekers"},
	{prbal.Role_ROLE_PROVIDER, "providers"},
	{prbal.Role_ROLE_LEARNER, "learners"},
	{prbal.Role_ROLE_ADMIN, "administrators"},
}

func deny(c caller, roles uint32) error {
	if c.id == "" {
		return failReason(codes.Unauthenticated, "TOKEN_MISSING",
			"sign in first: this needs an access token")
	}
	if c.roles&^(1<<prbal.Role_ROLE_PENDING) == 0 {
		return failReason(codes.PermissionDenied, "ACCOUNT_NOT_VERIFIED",
			"verify your e-mail address or phone number first")
	}
	var names []string
	for _, r := range roleNames {
		if roles&(1<<r.role) != 0 {
			names = append(names, r.name)
		}
	}
	return failReason(codes.PermissionDenied, "ROLE_REQUIRED",
		"only "+strings.Join(names, " or ")+" may do this")
}
