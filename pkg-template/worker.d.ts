/** The training worker of a page; it exports nothing and is started as a module worker. */
export {}
