package main

import (
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
)

func withDetails(code codes.Code, message string, details ...protoadapt.MessageV1) error {
	s, err := status.New(code, message).WithDetails(details...)
	if err != nil {
		return status.Error(codes.Internal, err.Error())
	}
	return s.Err()
}

// An error that clients tell apart by its reason.
func failReason(code codes.Code, reason, message string) error {
	return withDetails(code, message, &errdetails.ErrorInfo{Reason: reason, Domain: "prbal"})
}

func violation(field, description string) *errdetails.BadRequest {
	return &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: field, Description: description},
	}}
}

// A field of the request that is not as it must be.
func failField(field, description string) error {
	return withDetails(codes.InvalidArgument, fmt.Sprintf("%s: %s", field, description),
		violation(field, description))
}

func notFound(what string) error {
	return status.Errorf(codes.NotFound, "%s not found", what)
}
