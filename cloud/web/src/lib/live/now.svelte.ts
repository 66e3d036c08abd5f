/** The present, as state: "3 minutes ago" must not stand still. */

class Now {
  date = $state(new Date());

  constructor() {
    setInterval(() => {
      this.date = new Date();
    }, 5_000);
  }
}

export const now = new Now();
