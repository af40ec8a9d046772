-- name: audit_insert :exec
insert into audit_log (actor_id, action, object_type, object_id, detail,
                       ip_address, request_id)
values ($1, $2, coalesce($3, ''), coalesce($4, ''), coalesce($5, '{}'::jsonb),
        $6::text::inet, $7);
