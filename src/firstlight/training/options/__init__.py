"""Options of Lightning's Trainer that need some help to work here as Lightning documents them."""
