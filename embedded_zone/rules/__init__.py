"""The rule host: Python policies with the plugin's calling convention, native rule text, microservices."""
