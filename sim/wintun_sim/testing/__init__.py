"""What tests of programs that use the adapter need. `plugin` is what pytest loads, `strategies` is for hypothesis."""
