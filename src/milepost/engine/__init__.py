"""How a job gets run: instances, pools of them, one supervisor for each job, and the dispatcher."""
