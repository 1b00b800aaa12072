pub fn of_others() {}
