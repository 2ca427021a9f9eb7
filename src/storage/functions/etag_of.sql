-- A short word for a version of a resource: the same for the same parts, and nothing that a caller could read or guess on.
create or replace function keyturn.etag_of(variadic p_parts text[])
returns text
language sql stable
as $$
  select left(encode(sha256(convert_to(array_to_string(p_parts, '/', ''), 'UTF8')), 'hex'), 16)
$$;
