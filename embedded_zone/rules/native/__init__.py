"""The iRODS rule language: lexer, parser, interpreter, and the engine that makes them one of the rule host's."""
