"""Where every value lives: liveness, and one arena with as little memory as the ops allow."""
