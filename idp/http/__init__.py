"""What the pages and the protocol doors share over HTTP: services, cookies, CSRF, headers, rendering, error pages."""
