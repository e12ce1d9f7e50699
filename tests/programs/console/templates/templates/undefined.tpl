one
{{ <nobody> }}
